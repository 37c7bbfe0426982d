//! Tensors whose data lies in another file of the bundle: which of the files that the manifest lists, and where in it.
//!
//! ONNX Runtime is given the files as bytes in memory, under the names that the manifest lists, and never opens one.
//! A location that is no listed name could make it: a path leads out of the bundle, and a reserved word of its own names
//! an address in the process's memory.

use std::collections::BTreeSet;

use super::proto::Tensor;
use super::tensor;
use crate::External;
use crate::words::{listed, quoted};

/// The files that tensors may keep their data in, and those that any does.
pub(super) struct Files<'a> {
    files: &'a [External],
    used: BTreeSet<&'a str>,
}

impl<'a> Files<'a> {
    pub(super) fn new(files: &'a [External]) -> Self {
        Self { files, used: BTreeSet::new() }
    }

    /// What is wrong with a tensor that keeps its data outside, if anything.
    pub(super) fn fault(&mut self, tensor: &Tensor) -> Option<String> {
        self.place(tensor).err()
    }

    fn place(&mut self, tensor: &Tensor) -> Result<(), String> {
        let place = Place::read(tensor)?;
        let Some(file) = self.files.iter().find(|file| file.name == place.location) else {
            return Err(format!(
                "keeps its data in {}, which the manifest does not list: save the model without external data, or list \
                 the file in [[external]]",
                quoted(place.location)
            ));
        };
        self.used.insert(&file.name);
        if tensor::holds_data(tensor) {
            return Err("holds its data twice, in the file and outside".into());
        }
        let size = tensor::size(tensor)?;
        let (from, bytes) = (place.offset, place.length.unwrap_or(size.bytes));
        if size.is_text() || bytes != size.bytes {
            return Err(format!(
                "has shape {}, which needs {} bytes, but says that it has {bytes} in {}",
                tensor::shape(&tensor.dims),
                size.bytes,
                quoted(&file.name)
            ));
        }
        let held = file.data.len() as u64;
        if from.checked_add(bytes).is_none_or(|end| end > held) {
            return Err(format!(
                "has {bytes} bytes from byte {from} of {}, which has {held}",
                quoted(&file.name)
            ));
        }
        Ok(())
    }

    /// Listed files that no tensor keeps its data in: nobody would notice what is in them.
    pub(super) fn unused(&self) -> Option<String> {
        let unused: Vec<&str> = self
            .files
            .iter()
            .map(|file| file.name.as_str())
            .filter(|name| !self.used.contains(name))
            .collect();
        (!unused.is_empty())
            .then(|| format!("no tensor keeps its data in {}: remove it from [[external]]", listed(unused)))
    }
}

/// What a tensor says of where its data is.
struct Place<'a> {
    location: &'a str,
    offset: u64,
    length: Option<u64>,
}

impl<'a> Place<'a> {
    fn read(tensor: &'a Tensor) -> Result<Self, String> {
        let mut known: [Option<&str>; 4] = [None; 4];
        for pair in &tensor.external_data {
            let place = ["location", "offset", "length", "checksum"].iter().position(|key| *key == pair.key);
            let Some(place) = place.map(|place| &mut known[place]) else {
                return Err(format!(
                    "says {} of its external data, allowed are location, offset, length and checksum",
                    quoted(&pair.key)
                ));
            };
            // Of two, a reader that takes the first and one that takes the last see different data.
            if place.replace(&pair.value).is_some() {
                return Err(format!("says {} of its external data twice", quoted(&pair.key)));
            }
        }
        let [location, offset, length, _] = known;
        let location = location.ok_or("keeps its data outside, but does not say where")?;
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or_else(|| {
                format!("says {} of its external data, allowed is a whole number of bytes", quoted(text))
            })
        };
        let offset = offset.map(number).transpose()?.unwrap_or(0);
        Ok(Self { location, offset, length: length.map(number).transpose()? })
    }
}
