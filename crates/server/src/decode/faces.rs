//! A request for the faces of a picture.

use std::sync::Arc;

use unmask_core::Violation;
use unmask_pool::Served;
use unmask_protocol::v1;

use super::{Sight, finish, subject};
use crate::error::RequestError;

/// A picture in which faces are looked for.
pub(crate) struct FacesJob {
    pub(crate) image: Vec<u8>,
    /// What finds them.
    pub(crate) finder: Arc<Served>,
    /// The detector that is to see them.
    pub(crate) detector: Arc<Served>,
}

/// A request for the faces of a picture; `violations` are those that are known already.
pub(crate) fn faces(
    request: v1::DetectFacesRequest,
    sight: &Sight<'_>,
    mut violations: Vec<Violation>,
) -> Result<FacesJob, RequestError> {
    let finder = sight.models.find_faces(request.face_model.as_ref(), sight.tenant);
    let detector = sight.model(request.model.as_ref());
    let pictured = subject::subject(request.image, None, sight.limits, &mut violations);
    let models = finder.and_then(|finder| Ok((finder, detector?)));
    finish(models, violations, |(finder, detector)| {
        Some(FacesJob { image: pictured?.image, finder, detector })
    })
}
