//! The codec of the services: prost's, which makes nothing of a request that has too many parts.

use std::marker::PhantomData;

use prost::bytes::Buf as _;
use prost::{Message, Name};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

use crate::parts;

/// Encodes `T` and decodes `U`.
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

/// See [`BoundedCodec`].
pub struct BoundedDecoder<U>(ProstDecoder<U>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(ProstDecoder::default())
    }
}

impl<U: Message + Name + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // An answer is what was asked for; a request comes from anybody.
        let of_anybody = U::NAME.ends_with("Request");
        if of_anybody {
            if buf.chunk().len() < buf.remaining() {
                return Err(Status::internal("a message does not lie in one piece"));
            }
            parts::check(&U::full_name(), buf.chunk()).map_err(Status::invalid_argument)?;
        }
        // A request that cannot be read is its sender's mistake, which prost's decoder calls INTERNAL. An answer is not.
        let own =
            |unread: Status| if of_anybody { Status::invalid_argument(unread.message()) } else { unread };
        self.0.decode(buf).map_err(own)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
