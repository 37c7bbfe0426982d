//! Where a session runs.

use std::fmt;
use std::str::FromStr;

use super::BackendError;

/// A device that can hold a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// A GPU, through the CUDA provider.
    Cuda(i32),
    /// A GPU, through the TensorRT provider.
    TensorRt(i32),
}

/// What happens when a device that was asked for is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// The model is refused.
    #[default]
    Refuse,
    /// The processor takes its place, with a warning in the log.
    Cpu,
}

impl FromStr for Device {
    type Err = BackendError;

    fn from_str(text: &str) -> Result<Self, BackendError> {
        let number = |digits: &str| digits.parse::<u8>().map(i32::from).ok();
        let device = match text.split_once(':') {
            None if text == "cpu" => Some(Self::Cpu),
            Some(("cuda", n)) => number(n).map(Self::Cuda),
            Some(("tensorrt", n)) => number(n).map(Self::TensorRt),
            _ => None,
        };
        device.ok_or_else(|| BackendError::UnknownDevice { got: text.to_owned() })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::TensorRt(n) => write!(f, "tensorrt:{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for text in ["cpu", "cuda:0", "tensorrt:3"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_device_is_told_what_is_allowed() {
        for text in ["", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "cuda:999"] {
            let error = text.parse::<Device>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("got device \"{text}\", allowed are cpu, cuda:N and tensorrt:N with N from 0")
            );
        }
    }
}
