//! Files for the tests of this folder, written in memory.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage};

/// A picture without symmetry.
pub(super) fn pattern(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|c| ((x * 37 + y * 91 + c * 53 + x * y * 17) % 256) as u8))
    })
}

/// A TIFF structure that holds nothing but an orientation.
pub(super) fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    tiff
}

/// The picture as a file; every format that is not named is PNG.
pub(super) fn encode(image: DynamicImage, format: ImageFormat, exif: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let exif = exif.unwrap_or_default();
    if format == ImageFormat::Jpeg {
        write(JpegEncoder::new_with_quality(&mut bytes, 100), &image, exif);
    } else if format == ImageFormat::WebP {
        write(WebPEncoder::new_lossless(&mut bytes), &image, exif);
    } else {
        write(PngEncoder::new(&mut bytes), &image, exif);
    }
    bytes
}

fn write(mut encoder: impl ImageEncoder, image: &DynamicImage, exif: Vec<u8>) {
    if !exif.is_empty() {
        encoder.set_exif_metadata(exif).unwrap();
    }
    image.write_with_encoder(encoder).unwrap();
}

/// The pattern in each of the formats, with their names.
pub(super) fn every_format(width: u32, height: u32, orientation: Option<u8>) -> Vec<(&'static str, Vec<u8>)> {
    [("JPEG", ImageFormat::Jpeg), ("PNG", ImageFormat::Png), ("WebP", ImageFormat::WebP)]
        .map(|(name, format)| (name, encode(pattern(width, height).into(), format, orientation.map(exif))))
        .into()
}

pub(super) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encode(pattern(width, height).into(), ImageFormat::Jpeg, None)
}

pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    encode(pattern(width, height).into(), ImageFormat::Png, None)
}

pub(super) fn webp(width: u32, height: u32, orientation: Option<u8>) -> Vec<u8> {
    encode(pattern(width, height).into(), ImageFormat::WebP, orientation.map(exif))
}

pub(super) fn webp_with_exif(width: u32, height: u32, exif: Vec<u8>) -> Vec<u8> {
    encode(pattern(width, height).into(), ImageFormat::WebP, Some(exif))
}

/// A chunk with its checksum.
pub(super) fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut body = kind.to_vec();
    body.extend(data);
    let checksum = body.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
    chunk.extend(body);
    chunk.extend((!checksum).to_be_bytes());
    chunk
}

/// A still PNG with the control chunk of an animation before its pixels.
pub(super) fn animated_png() -> Vec<u8> {
    let still = png(24, 17);
    let mut bytes = still[..33].to_vec();
    bytes.extend(png_chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]));
    bytes.extend(&still[33..]);
    bytes
}

/// An extended WebP with the animation flag and one frame.
pub(super) fn animated_webp() -> Vec<u8> {
    let still = webp(24, 17, None);
    let mut frame = vec![0, 0, 0, 0, 0, 0, 23, 0, 0, 16, 0, 0, 100, 0, 0, 0];
    frame.extend(&still[12..]);
    let mut chunks = b"WEBPVP8X\x0A\0\0\0\x02\0\0\0\x17\0\0\x10\0\0ANIM\x06\0\0\0\0\0\0\0\0\0ANMF".to_vec();
    chunks.extend((frame.len() as u32).to_le_bytes());
    chunks.extend(frame);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((chunks.len() as u32).to_le_bytes());
    bytes.extend(chunks);
    image::codecs::webp::WebPDecoder::new(Cursor::new(bytes.as_slice()))
        .map(|d| assert!(d.has_animation()))
        .unwrap();
    bytes
}

/// A lossy file of 24 x 16 pixels, grey 9 y + 4 x, written by Pillow 13.0.0 with quality 20.
pub(super) fn lossy_webp() -> Vec<u8> {
    hex(
        "524946464800000057454250565038203c000000b003009d012a180010003f395ec95f2f23aaa61801e027096900005da3d32f9911d3\
         76d1964000fee40d572caf1d47b1b2068ec88b2a2dabeb800000",
    )
}

/// A progressive grey file of 24 x 16 pixels, written by Pillow 13.0.0 with quality 30.
pub(super) fn progressive_jpeg() -> Vec<u8> {
    hex(
        "ffd8ffe000104a46494600010100000100010000ffdb0043001b12141714111b1716171e1c1b2028422b28252528513a3d3042605565\
         645f555d5b6a7899816a7190735b5d85b586909ea3abadab6780bcc9baa6c799a8aba4ffc2000b080010001801011100ffc400150001\
         0100000000000000000000000000000405ffda00080101000000010ad7316affc4001510010100000000000000000000000000000002\
         ffda000801010001050294a5294bffc40014100100000000000000000000000000000020ffda0008010100063f025fffc40015100101\
         00000000000000000000000000000001ffda0008010100013f2184210843ffda0008010100000010c7ffc40015100101000000000000\
         00000000000000000031ffda0008010100013f10924924924fffd9",
    )
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
