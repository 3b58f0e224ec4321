//! What whoever runs the server shows.

use super::options::{Form, Opt};

const OPERATOR_SECRET: &str = "What whoever adds apps while the server runs, changes them or takes them away \
                               shows as `Authorization: Bearer` on `/v1/apps`; none of the apps' own secrets \
                               opens it. Without it nobody can. A long random text; a change counts after a restart.";

/// The secret of whoever runs the server.
pub(super) const OPERATOR: Opt = Opt::text("operator.secret", Form::Secret, OPERATOR_SECRET).like("\"\"");
