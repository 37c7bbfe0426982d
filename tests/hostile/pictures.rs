//! Wrong pictures, crops and fills.

use unmask_protocol::v1;
use unmask_tests::{image_fill, png, request, sample};

use crate::files::{animated_webp, jpeg, png_header};
use crate::requests::{with_crop, with_fill, with_image};
use crate::{Case, case};

pub(crate) fn of_pictures() -> Vec<Case> {
    let jpeg = jpeg();
    let not_inside = "which is not inside the picture of 128 x 128 pixels";
    vec![
        case("empty image", "image", "has no bytes", with_image(Vec::new())),
        case("truncated JPEG", "image", "JPEG", with_image(jpeg[..jpeg.len() / 2].to_vec())),
        case("JPEG without its end", "image", "JPEG", with_image(jpeg[..jpeg.len() - 2].to_vec())),
        case("truncated PNG", "image", "PNG", with_image(sample("astronaut-real.png")[..5000].to_vec())),
        case(
            "text file",
            "image",
            "JPEG, PNG",
            with_image(b"this is no picture at all, only words".to_vec()),
        ),
        case("1x1 picture", "image", "1 x 1", with_image(png(1, 1, |_, _| [0, 0, 0]))),
        case("30000x30000 header", "image", "30000 x 30000", with_image(png_header(30_000, 30_000))),
        case("header beyond all numbers", "image", "x", with_image(png_header(u32::MAX, u32::MAX))),
        case("animated WebP", "image", "animated", with_image(animated_webp())),
        case("crop to the right of the picture", "crop", not_inside, with_crop(100, 0, 64, 64)),
        case("crop whose end overflows", "crop", not_inside, with_crop(u32::MAX, u32::MAX, 64, 64)),
        case("crop without area", "crop", "got 0 x 0 pixels", with_crop(0, 0, 0, 0)),
        case("crop of one column", "crop", "each side is at least 16", with_crop(0, 0, 1, 64)),
        case("fill without a kind", "fill.kind", "is not set", {
            v1::ExplainRequest { fill: Some(v1::Fill { kind: None }), ..request() }
        }),
        case("blur of nothing", "fill.blur.sigma", "got 0, allowed is 0.5 to 100", {
            with_fill(v1::fill::Kind::Blur(v1::BlurFill { sigma: Some(0.0) }))
        }),
        case("blur of NaN", "fill.blur.sigma", "got NaN", {
            with_fill(v1::fill::Kind::Blur(v1::BlurFill { sigma: Some(f64::NAN) }))
        }),
        case("colour out of range", "fill.constant.green", "got 256, allowed is 0 to 255", {
            with_fill(v1::fill::Kind::Constant(v1::ConstantFill { green: Some(256.0), ..Default::default() }))
        }),
        case("empty fill image", "fill.image.image", "has no bytes", {
            v1::ExplainRequest { fill: Some(image_fill(Vec::new())), ..request() }
        }),
        case(
            "fill image of another size",
            "fill.image.image",
            "got 64 x 64 pixels as displayed, the explained picture has 128 x 128",
            v1::ExplainRequest { fill: Some(image_fill(png(64, 64, |_, _| [9, 9, 9]))), ..request() },
        ),
        case("truncated fill image", "fill.image.image", "PNG", {
            v1::ExplainRequest {
                fill: Some(image_fill(sample("astronaut-real.png")[..9000].to_vec())),
                ..request()
            }
        }),
        case("box of one pixel", "fill.box_blur.width", "got 1, allowed is 2 to 256", {
            with_fill(v1::fill::Kind::BoxBlur(v1::BoxBlurFill { width: Some(1) }))
        }),
        case("noise without strength", "fill.noise.strength", "got 0, allowed is 0.01 to 10", {
            with_fill(v1::fill::Kind::Noise(v1::NoiseFill { strength: Some(0.0) }))
        }),
    ]
}
