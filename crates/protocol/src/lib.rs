//! Messages and services of the contract in `proto/unmask/v1`, generated; no logic but that of how large a request may unfold.

mod codec;
pub mod parts;

pub use codec::BoundedCodec;

/// The first version of the contract.
pub mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("unmask.v1");
}

/// The encoded `FileDescriptorSet` of the contract, with its comments.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
