//! The options of what belongs to Socket.IO beside its connections: the route by which a marketplace's backend tells
//! clients something, and the admin UI.

use super::error::Secret;
use super::options::{Form, Group, Opt, Section};

/// What they say of the admin UI.
pub(super) const ADMIN: Section = Section {
    title: "Admin UI of Socket.IO",
    intro: "Its namespace `/admin`, in production mode: how many clients there are, and what passes. The page's \
            origin belongs into `cors.origins`. A change counts after a restart.",
    options: ADMIN_OPTIONS,
};

/// The admin UI.
const ADMIN_OPTIONS: &[Opt] = &[
    Opt::text(
        "socketio_admin.username",
        Form::Any,
        "The name by which an operator logs in; without it there is no admin UI.",
    )
    .like("\"admin\""),
    Opt::text("socketio_admin.password", Form::Secret, "The password, of at least 16 characters.")
        .like("\"\""),
];

/// The admin UI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// The name of whoever logs in.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// What they say of the marketplace's route.
pub(super) const MARKETPLACE: Section = Section {
    title: "Marketplace",
    intro: "The route `/api/socket`, by which the backend of a marketplace tells its Socket.IO clients \
            something. See [Socket.IO](socketio.md).",
    options: MARKETPLACE_OPTIONS,
};

/// For all apps.
const MARKETPLACE_OPTIONS: &[Opt] = &[Opt::switch(
    "marketplace.everyone",
    false,
    "Whether `POST /api/socket` that names nobody is told to everybody who is connected, also to those whom nobody \
     knows. In development mode it always is.",
)
.live(Group::Rules)];

/// The marketplace's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketplaceSettings {
    /// What names nobody is for everybody.
    pub everyone: bool,
}
