//! What is kept of an app beside its number and its key.

use deskbell_core::ids::AppId;
use serde::{Deserialize, Serialize};

use crate::pusher::Own;
use crate::store::Tenant;

/// The body of a stored app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The secret of its backend.
    pub secret: String,
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// What it has otherwise than all apps in the Pusher dialect.
    #[serde(default)]
    pub pusher: Own,
}

impl Record {
    /// Reads a stored app; the sentence of a failure does not quote it.
    pub fn read(tenant: &Tenant) -> Result<Self, String> {
        serde_json::from_str(&tenant.body).map_err(|_| {
            format!("the stored app {} cannot be read; `deskbell doctor` looks at it", tenant.id)
        })
    }

    /// As it is stored.
    pub fn tenant(&self, id: AppId, key: &str) -> Tenant {
        let body = serde_json::to_string(self).expect("our own records always serialise into memory");
        Tenant { id, key: key.to_owned(), body }
    }
}
