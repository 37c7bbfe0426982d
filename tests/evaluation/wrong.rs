//! Wrong requests: one clear error that names every wrong field, and no forward pass.

use tonic::Code;
use unmask_protocol::v1::{self, candidate, fill};
use unmask_server::status_of;
use unmask_tests::{Root, model, png, rise};

use crate::{evaluate, made, metric, occlusion, planned, quick, request};

type Case = (&'static str, Vec<(&'static str, &'static str)>, v1::EvaluateRequest);

fn masked(image: Vec<u8>) -> v1::EvaluateRequest {
    v1::EvaluateRequest { mask: Some(v1::Mask { image }), ..request(quick()) }
}

fn supplied(height: u32, width: u32, values: Vec<f32>) -> v1::EvaluateRequest {
    let values = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let map =
        v1::SuppliedMap { map: Some(v1::Map { height, width, values, sha256: String::new() }), reading: 0 };
    planned(request(quick()), |plan| {
        plan.candidates = vec![v1::Candidate { kind: Some(candidate::Kind::Map(map)), ..Default::default() }];
    })
}

fn with(kind: metric::Kind) -> v1::EvaluateRequest {
    request(vec![metric(kind)])
}

fn cases() -> Vec<Case> {
    let plan = |change: fn(&mut v1::EvaluationPlan)| planned(request(quick()), change);
    let mut holey = vec![0.5; 128 * 128];
    holey[129] = f32::NAN;
    vec![
        (
            "a mask of another size",
            vec![("mask.image", "got 64 x 64 pixels as displayed, the picture has 128 x 128")],
            masked(png(64, 64, |_, _| [255; 3])),
        ),
        (
            "an empty mask",
            vec![("mask.image", "is empty inside the crop")],
            masked(png(128, 128, |_, _| [9; 3])),
        ),
        (
            "a full mask",
            vec![("mask.image", "is full inside the crop")],
            masked(png(128, 128, |_, _| [200; 3])),
        ),
        ("a mask that is no picture", vec![("mask.image", "")], masked(b"mask".to_vec())),
        (
            "a metric without its mask",
            vec![("plan.metrics[0]", "auroc needs the mask of what was manipulated")],
            v1::EvaluateRequest { mask: None, ..with(metric::Kind::Auroc(v1::Auroc {})) },
        ),
        (
            "NaN in a map",
            vec![("plan.candidates[0].map.map.values", "got NaN in row 1, column 1")],
            supplied(128, 128, holey),
        ),
        (
            "a map of too few values",
            vec![("plan.candidates[0].map.map.values", "got 8 bytes, 4 x 128 x 128 = 65536 are needed")],
            supplied(128, 128, vec![0.0; 2]),
        ),
        (
            "a map of another size",
            vec![("plan.candidates[0].map.map", "got 2 rows of 3, allowed are")],
            supplied(2, 3, vec![0.0; 6]),
        ),
        (
            "an endless map",
            vec![("plan.candidates[0].map.map.values", "4 x 4294967295 x 4294967295")],
            supplied(u32::MAX, u32::MAX, Vec::new()),
        ),
        (
            "no candidates",
            vec![("plan.candidates", "got 0, allowed are 1 to 32")],
            plan(|p| p.candidates.clear()),
        ),
        (
            "too many candidates",
            vec![("plan.candidates", "got 33, allowed are 1 to 32")],
            plan(|p| p.candidates = vec![p.candidates[0].clone(); 33]),
        ),
        ("no metrics", vec![("plan.metrics", "got 0, allowed are 1 to 32")], request(Vec::new())),
        (
            "a metric that is not known",
            vec![("plan.metrics[1].kind", "is not set or not known to this server, see ListMetrics")],
            plan(|p| p.metrics[1].kind = None),
        ),
        (
            "a metric twice",
            vec![("plan.metrics[2]", "is there twice")],
            plan(|p| p.metrics.push(p.metrics[0].clone())),
        ),
        (
            "a name twice",
            vec![("plan.candidates[1].name", "\"occlusion over image\" is taken")],
            plan(|p| p.candidates.push(p.candidates[0].clone())),
        ),
        (
            "a control's name",
            vec![("plan.candidates[0].name", "\"uniform\" is taken")],
            plan(|p| p.candidates[0].name = "uniform".into()),
        ),
        (
            "a name of control characters",
            vec![("plan.candidates[0].name", "printable ASCII")],
            plan(|p| p.candidates[0].name = "a\nb".into()),
        ),
        (
            "nothing to explain by",
            vec![("plan.candidates[0].kind", "set method or map")],
            plan(|p| p.candidates[0].kind = None),
        ),
        (
            "a supplied map with a fill",
            vec![("plan.candidates[0].fill", "a supplied map has none")],
            planned(supplied(128, 128, vec![0.5; 128 * 128]), |p| {
                p.candidates[0].fill = made(occlusion(), Some(fill::Kind::Mean(v1::MeanFill {}))).fill;
            }),
        ),
        (
            "again without a method",
            vec![(
                "plan.metrics[0]",
                "max_sensitivity explains again, and a supplied map cannot be made again",
            )],
            planned(supplied(128, 128, vec![0.5; 128 * 128]), |p| {
                p.metrics = vec![metric(metric::Kind::MaxSensitivity(v1::MaxSensitivity::default()))];
            }),
        ),
        (
            "a label that is no class",
            vec![("label", "got \"nose\", the model's labels are real")],
            v1::EvaluateRequest { label: "nose".into(), ..request(quick()) },
        ),
        ("a scale that is none", vec![("plan.scale", "got 9, allowed are")], plan(|p| p.scale = 9)),
        (
            "a target that is no class",
            vec![("plan.target.label", "got \"nose\"")],
            plan(|p| p.target = Some(unmask_tests::target("nose"))),
        ),
        (
            "a reading that is none",
            vec![("plan.candidates[0].map.reading", "got 7, allowed are")],
            planned(supplied(128, 128, vec![0.5; 128 * 128]), |p| {
                if let Some(candidate::Kind::Map(map)) = &mut p.candidates[0].kind {
                    map.reading = 7;
                }
            }),
        ),
        (
            "an RFxG score that is none",
            vec![("plan.metrics[0].rfxg.score", "got 9, allowed are")],
            with(metric::Kind::Rfxg(v1::Rfxg { score: 9, ..Default::default() })),
        ),
        (
            "numbers out of bounds",
            vec![
                ("plan.metrics[0].deletion.step", "got 0, allowed is 1 to"),
                ("plan.metrics[1].adversarial_sufficiency.regions", "got 17, allowed is 1 to 16"),
                ("plan.metrics[1].adversarial_sufficiency.attack.bounded.max_passes", "got 3, allowed is"),
                ("plan.metrics[2].insertion.fill.blur.sigma", "got -1"),
            ],
            request(vec![
                metric(metric::Kind::Deletion(v1::Deletion { step: Some(0), fill: None })),
                metric(metric::Kind::AdversarialSufficiency(v1::AdversarialSufficiency {
                    regions: Some(17),
                    attack: Some(v1::Attack {
                        kind: Some(v1::attack::Kind::Bounded(v1::AdversarialFill {
                            max_passes: Some(3),
                            ..Default::default()
                        })),
                    }),
                })),
                metric(metric::Kind::Insertion(v1::Insertion {
                    step: None,
                    fill: Some(v1::Fill { kind: Some(fill::Kind::Blur(v1::BlurFill { sigma: Some(-1.0) })) }),
                })),
            ]),
        ),
        (
            "wrong parts of a candidate",
            vec![
                ("plan.candidates[0].method.rise.masks", "got 1, allowed is"),
                ("plan.candidates[0].fill.kind", "is not set"),
                ("plan.candidates[0].segmentation.kind", "is not set"),
            ],
            plan(|p| {
                p.candidates[0].kind = Some(candidate::Kind::Method(rise(1)));
                p.candidates[0].fill = Some(v1::Fill { kind: None });
                p.candidates[0].segmentation = Some(v1::Segmentation { kind: None });
            }),
        ),
        (
            "no picture",
            vec![("image", "has no bytes")],
            v1::EvaluateRequest { image: Vec::new(), ..request(quick()) },
        ),
        (
            "nothing at all",
            vec![("image", "has no bytes"), ("plan.candidates", "got 0")],
            v1::EvaluateRequest::default(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_request_gets_one_clear_error_and_costs_nothing() {
    let service = Root::new(&[]).service(&[]);
    for (name, fields, wrong) in cases() {
        let status = evaluate(&service, wrong).await.expect_err(name);
        let (code, message, found) = status_of(&status);
        assert_eq!(code, Code::InvalidArgument, "{name}: {message}");
        let own = |fields: &[(&str, &str)]| fields.iter().map(|(f, _)| (*f).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found.iter().map(|(f, _)| f.clone()).collect::<Vec<_>>(),
            own(&fields),
            "{name}: {message}"
        );
        for ((_, message), (_, words)) in found.iter().zip(&fields) {
            assert!(message.contains(words), "{name}: {message}");
        }
        assert!(message.len() < 2000, "{name}: an error does not grow with the request");
        assert_eq!((service.passes(), service.waiting()), (0, (0, 0)), "{name}");
    }
    let unknown = planned(request(quick()), |plan| plan.model = model("resnet"));
    let (code, _, found) = status_of(&evaluate(&service, unknown).await.unwrap_err());
    assert_eq!((code, found[0].0.as_str()), (Code::NotFound, "plan.model.name"));
    assert!(evaluate(&service, request(quick())).await.is_ok());
}
