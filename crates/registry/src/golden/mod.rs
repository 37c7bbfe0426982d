//! The golden input: a NumPy file becomes the values that the graph's input takes, or it is said what is wrong.

mod npy;
#[cfg(test)]
mod tests;

use unmask_core::{Layout, ModelSpec};

use crate::manifest::Expected;
use crate::words::{Findings, quoted};
use crate::{BundleError, Golden};

/// Reads the golden input in `bytes` and joins it with the scores that the manifest expects for it.
pub(crate) fn read(bytes: &[u8], expected: Expected, spec: &ModelSpec) -> Result<Golden, BundleError> {
    let array = npy::read(bytes)
        .map_err(|problem| BundleError::GoldenFormat { file: expected.file.clone(), problem })?;
    let mut findings = Findings::default();
    let shape = shape(expected.rows, spec);
    header(&array, &shape, &mut findings);
    let input: Vec<f32> = array.data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    // Bytes of another type or shape say nothing as values.
    let mut problems = findings.finish();
    if problems.is_empty() {
        problems = values(&array, &shape, &input);
    }
    if !problems.is_empty() {
        return Err(BundleError::Golden { file: expected.file, problems });
    }
    Ok(Golden { input, rows: expected.rows, scores: expected.scores, tolerance: expected.tolerance })
}

fn shape(rows: usize, spec: &ModelSpec) -> [usize; 4] {
    let (height, width) = (spec.input.height, spec.input.width);
    match spec.input.layout {
        Layout::Nchw => [rows, 3, height, width],
        Layout::Nhwc => [rows, height, width, 3],
    }
}

fn header(array: &npy::Array<'_>, shape: &[usize; 4], findings: &mut Findings) {
    if array.descr != "<f4" {
        findings
            .push(|| format!("got elements of type {}, allowed is float32, \"<f4\"", quoted(array.descr)));
    }
    if array.fortran {
        findings.push(|| "got Fortran order, allowed is C order: save numpy.ascontiguousarray of it".into());
    }
    if !array.shape.iter().copied().eq(shape.iter().map(|side| *side as u64)) {
        findings.push(|| {
            format!(
                "got shape {:?}, allowed is {shape:?}: rows of golden.scores and the input's layout",
                array.shape
            )
        });
    }
}

fn values(array: &npy::Array<'_>, shape: &[usize; 4], input: &[f32]) -> Vec<String> {
    let mut findings = Findings::default();
    let wanted = 4 * shape.iter().product::<usize>();
    if array.data.len() != wanted {
        findings.push(|| {
            format!("got {} bytes after the header, its shape has {wanted}: save it again", array.data.len())
        });
    }
    if let Some((at, value)) = input.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        findings.push(|| format!("got {value} at element {at}, allowed are finite values"));
    }
    findings.finish()
}
