//! Picture files that are odd or broken.

use unmask_tests::{png, sample};

pub(crate) fn jpeg() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::load_from_memory(&sample("astronaut-real.png"))
        .unwrap()
        .to_rgb8()
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

/// A PNG whose header says that it is this large; its checksum is right.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(16, 16, |_, _| [0, 0, 0]);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = bytes[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

/// An extended WebP with the animation flag and one frame.
pub(crate) fn animated_webp() -> Vec<u8> {
    let chunk = |name: &[u8; 4], body: &[u8]| {
        let padding = vec![0; body.len() % 2];
        [name.as_slice(), &(body.len() as u32).to_le_bytes(), body, &padding].concat()
    };
    let side = 63u32.to_le_bytes();
    let canvas = [&[0b10, 0, 0, 0], &side[..3], &side[..3]].concat();
    let frame = [&[0; 6], &side[..3], &side[..3], &[100, 0, 0, 0]].concat();
    let body =
        [b"WEBP".to_vec(), chunk(b"VP8X", &canvas), chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame)].concat();
    chunk(b"RIFF", &body)
}
