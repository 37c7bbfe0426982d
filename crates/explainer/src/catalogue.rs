//! How a method or fill describes itself; messages, docs and checks are made from this.

use unmask_core::Param;

/// A method or fill as the catalogue tells it.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Name, as in the protocol.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Paper, with its arXiv id or DOI; empty where there is none.
    pub citation: &'static str,
    /// Parameters.
    pub params: &'static [Param],
    /// Forward passes as a formula of the parameters.
    pub passes: &'static str,
}
