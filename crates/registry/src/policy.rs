//! What models may ask of the server beyond what is always allowed. Whoever runs a server opens it, never a bundle.

use std::collections::BTreeSet;

/// Operators and domains that are allowed beside those that always are. The default opens nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Operators of ai.onnx and ai.onnx.ml by name, such as `If`.
    pub operators: BTreeSet<String>,
    /// Operator domains, such as `com.microsoft`: every operator of them, and functions that a model defines in them.
    pub domains: BTreeSet<String>,
}
