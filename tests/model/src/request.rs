//! Requests to the API server.

use bluegreen_api::Color;

use crate::checks::Identity;
use crate::objects::{Kept, Object, Service, Status, Token};

/// Why the Service is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The gate was passed.
    Switch,
    /// Somebody edited the selector.
    Restore,
    /// The live color is updated in place.
    Promote,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Create the Service.
    CreateService(Service),
    /// Replace what is declared of the Service.
    PutService(Service, Why),
    /// Stamp the Service.
    StampService(Token),
    /// Create a Deployment: revision, content, size.
    CreateDeployment(Color, u8, Kept, u8, Token),
    /// Replace what is declared of a Deployment: revision, content, size.
    PutDeployment(Color, u8, Kept, u8, Token),
    /// Stamp a Deployment.
    StampDeployment(Color, Token),
    /// Delete a Deployment.
    DeleteDeployment(Color),
    /// Keep a rendering under a number.
    Store(Color, u8, Kept),
    /// Delete a stored rendering.
    Drop(Color, u8),
    /// Create a check's Job.
    RunJob(Identity),
    /// Delete a check's Job.
    DropJob(Identity),
    /// Report; and whether that tells when a color was left.
    Status(Status, Option<Color>),
}

impl Ask {
    /// The object that the request is about.
    pub(crate) fn object(self) -> Object {
        match self {
            Self::CreateService(_) | Self::PutService(..) | Self::StampService(_) => Object::Service,
            Self::CreateDeployment(color, ..)
            | Self::PutDeployment(color, ..)
            | Self::StampDeployment(color, _)
            | Self::DeleteDeployment(color) => Object::Deployment(color),
            Self::Store(..) | Self::Drop(..) => Object::Stored,
            Self::RunJob(_) | Self::DropJob(_) => Object::Jobs,
            Self::Status(..) => Object::App,
        }
    }

    /// Its precondition is that this object has not changed. A revision never does: it is known by its uid alone.
    pub(crate) fn rests_on(self, object: Object) -> bool {
        self.object() == object && !matches!(self, Self::Drop(..) | Self::RunJob(_) | Self::DropJob(_))
    }

    /// The token that it would leave on the object.
    pub(crate) fn token(mut self) -> Option<Token> {
        self.token_mut().copied()
    }

    pub(crate) fn token_mut(&mut self) -> Option<&mut Token> {
        match self {
            Self::CreateService(service) | Self::PutService(service, _) => Some(&mut service.token),
            Self::StampService(token)
            | Self::CreateDeployment(.., token)
            | Self::PutDeployment(.., token)
            | Self::StampDeployment(_, token) => Some(token),
            Self::DeleteDeployment(_)
            | Self::Store(..)
            | Self::Drop(..)
            | Self::RunJob(_)
            | Self::DropJob(_)
            | Self::Status(..) => None,
        }
    }

    /// Its precondition is absence.
    pub(crate) fn creates(self) -> bool {
        matches!(
            self,
            Self::CreateService(_) | Self::CreateDeployment(..) | Self::Store(..) | Self::RunJob(_)
        )
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// What it asks for.
    pub ask: Ask,
    /// The object is still the one that was read: the resourceVersion matches.
    pub valid: bool,
}
