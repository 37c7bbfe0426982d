//! Memory for messages.

use std::time::Duration;

use tonic::Code;
use unmask_protocol::v1;
use unmask_tests::started::Started;
use unmask_tests::until;

use super::raw::{EXPLAIN, PREDICT, Raw, prefix, status};
use super::{masks, one, plan};

/// Memory for two of the largest messages.
const SMALL: [(&str, &str); 2] = [("server.max_bytes", "4194304"), ("server.max_message_bytes", "2097152")];
const FULL: &str = "this server's memory for messages and pictures is taken up; try again later";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_let_in_by_its_announcement_and_not_by_what_has_come_of_it() {
    let server = Started::with(&SMALL).await;
    let mut raw = Raw::connect(server.address).await;
    // Two announcements take up everything, though not a byte of either has come, and a third finds nothing.
    let mut open = Vec::new();
    let mut answers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (response, body) = raw.announce(2 << 20).await;
        open.push(body);
        answers.spawn(status(response));
    }
    let answer = answers.join_next().await.unwrap().unwrap();
    assert_eq!(answer, (Code::ResourceExhausted, FULL.replace(' ', "%20")));
    let refused = server.client().await.predict(one()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, FULL));
    // What is given up is free again.
    drop(open);
    answers.shutdown().await;
    let free = async { while server.client().await.predict(one()).await.is_err() {} };
    tokio::time::timeout(unmask_tests::PATIENCE, free).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_takes_its_memory_until_it_is_answered() {
    let server = Started::with(&[SMALL[0], SMALL[1], ("pool.workers", "1")]).await;
    // What comes after a picture's end is ignored.
    let mut image = one().image;
    image.resize(1_900_000, 0);
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let mut client = server.client().await;
        let request = v1::ExplainRequest { image: image.clone(), fill: None, ..masks(100_000) };
        busy.spawn(async move { client.explain(request).await });
    }
    until(|| server.service.waiting().1 == 2).await;
    let large = v1::PredictRequest { image, ..one() };
    let refused = server.client().await.predict(large.clone()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, FULL));
    assert!(server.client().await.predict(one()).await.is_ok());
    busy.shutdown().await;
    let free = async { while server.client().await.predict(large.clone()).await.is_err() {} };
    tokio::time::timeout(unmask_tests::PATIENCE, free).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_never_comes_gives_its_memory_back() {
    let server = Started::with(&[SMALL[0], SMALL[1], ("http2.message_seconds", "1")]).await;
    let mut raw = Raw::connect(server.address).await;
    let (_silent, mut slow) = (raw.announce(2 << 20).await, raw.announce(2 << 20).await);
    // A byte now and then is not a message either.
    let drip = async {
        while slow.1.send_data(vec![0].into(), false).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    drip.await;
    let (code, message) = status(slow.0).await;
    assert_eq!(code, Code::DeadlineExceeded, "{message}");
    let (nothing, _body) = raw.open(EXPLAIN).await.unwrap();
    assert_eq!(status(nothing).await.0, Code::DeadlineExceeded);
    assert!(server.client().await.predict(one()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_parts_without_end_is_refused_before_anything_is_made_of_it() {
    let server = Started::with(&[]).await;
    // Two bytes each on the wire, hundreds in memory.
    let metrics = vec![v1::Metric::default(); 100_000];
    let plan = v1::EvaluationPlan { metrics, ..Default::default() };
    let request = v1::EvaluateRequest { plan: Some(plan), ..Default::default() };
    let refused = server.evaluations().await.evaluate(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert!(refused.message().contains("more than 10000 fields and numbers"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_its_senders_mistake() {
    let server = Started::with(&[]).await;
    let (response, mut body) = Raw::connect(server.address).await.open(EXPLAIN).await.unwrap();
    body.send_data(prefix(0, 10), false).unwrap();
    body.send_data(vec![0xFF; 10].into(), true).unwrap();
    let (code, said) = status(response).await;
    assert_eq!(code, Code::InvalidArgument, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decoding_a_picture_needs_room_for_its_pixels() {
    let server = Started::with(&[("image.max_bytes", "24000000"), ("pool.workers", "1")]).await;
    let of = |side: u32| {
        let image = unmask_tests::png(side, side, |_, _| [90, 120, 150]);
        v1::ExplainRequest { image, fill: None, ..masks(20_000) }
    };
    let mut client = server.client().await;
    let never = client.explain(of(4000)).await.unwrap_err();
    assert_eq!(never.code(), Code::InvalidArgument, "{never}");
    assert!(never.message().contains("this server has 24000512 for pictures"), "{never}");
    // One has room, a second beside it has not.
    let mut busy = server.client().await;
    let call = tokio::spawn(async move { busy.explain(of(2200)).await });
    unmask_tests::until(|| server.service.passes() > 0).await;
    let refused = client.explain(of(2200)).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, FULL));
    assert!(client.explain(masks(128)).await.is_ok());
    call.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_whole_and_does_not_end_gives_its_memory_back() {
    let server = Started::with(&[SMALL[0], SMALL[1], ("http2.message_seconds", "1")]).await;
    let mut raw = Raw::connect(server.address).await;
    let message = prost::Message::encode_to_vec(&one());
    for path in [PREDICT, "/grpc.health.v1.Health/Check"] {
        let message = if path == PREDICT { message.clone() } else { Vec::new() };
        let (response, mut body) = raw.open(path).await.unwrap();
        body.send_data(prefix(0, message.len() as u32), false).unwrap();
        body.send_data(message.into(), false).unwrap();
        if path == PREDICT {
            assert_eq!(status(response).await.0, Code::DeadlineExceeded, "{path}");
        }
    }
    let (response, mut body) = raw.open(PREDICT).await.unwrap();
    for _ in 0..2 {
        body.send_data(prefix(0, message.len() as u32), false).unwrap();
        body.send_data(message.clone().into(), false).unwrap();
    }
    assert_eq!(
        status(response).await,
        (Code::InvalidArgument, "a%20request%20of%20this%20call%20is%20one%20message".into())
    );
    assert_eq!(server.service.passes(), 0);
    assert!(server.client().await.predict(one()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_no_token_takes_no_memory_from_others() {
    let settings = [("server.max_bytes", "2097152"), ("server.max_message_bytes", "1048576")];
    let server = Started::with(&settings).await;
    let mut open = Vec::new();
    // A grain of memory each, as many as there are, and none of them ever comes.
    for _ in 0..17 {
        let mut raw = Raw::connect(server.address).await;
        for _ in 0..128 {
            let (response, mut body) = raw.open("/grpc.health.v1.Health/Check").await.unwrap();
            body.send_data(prefix(0, 1000), false).unwrap();
            open.push((response, body));
        }
    }
    // What is larger than they need is refused.
    let mut raw = Raw::connect(server.address).await;
    let (response, mut body) = raw.open("/grpc.health.v1.Health/Check").await.unwrap();
    body.send_data(prefix(0, 1 << 20), false).unwrap();
    assert_eq!(status(response).await.0, Code::ResourceExhausted);
    assert!(server.client().await.predict(one()).await.is_ok());
    let mut answers =
        server.evaluations().await.evaluate_dataset(tokio_stream::iter([plan()])).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
}
