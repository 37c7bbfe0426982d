//! What the explanations of one request share.

/// What has been found already.
#[derive(Debug, Default)]
pub struct Shared {}
