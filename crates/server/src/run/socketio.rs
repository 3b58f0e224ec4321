//! Makes from the settings what an app agrees to in the Socket.IO dialect.

use std::time::Duration;

use deskbell_wire::engineio::Timing;

use super::{StartError, apps, outward};
use crate::config::Settings;
use crate::identity;
use crate::socketio::{Backend, Mount, Terms};

/// The terms of every app.
pub fn terms(settings: &Settings) -> Result<Terms, StartError> {
    let wish = &settings.socketio;
    let timeout = Duration::from_millis(wish.auth_timeout_ms);
    let backend = |url: &String| {
        let address = outward::address(url, None);
        let address = address.map_err(|why| StartError(format!("socketio.auth_endpoint {why}")))?;
        Ok(Backend::new(address, timeout))
    };
    Ok(Terms {
        backend: wish.auth_endpoint.as_ref().map(backend).transpose()?,
        enabled: wish.enabled,
        timing: Timing {
            ping_interval: wish.ping_interval_ms,
            ping_timeout: wish.ping_timeout_ms,
            upgrade_timeout: wish.upgrade_timeout_ms,
        },
        max_payload: wish.max_payload,
        recovery: wish.recovery,
        namespaces: wish.namespaces.clone(),
        plain: wish.plain_namespaces.clone(),
        trusting: settings.dev,
    })
}

/// Where the dialect is mounted; nowhere, if it is switched off.
pub fn mount(settings: &Settings) -> Mount {
    let wish = &settings.socketio;
    if !wish.enabled {
        return Mount::default();
    }
    Mount {
        paths: wish.paths.clone(),
        token_cookie: wish.token_cookie.clone(),
        sticky_cookie: wish.sticky_cookie.clone(),
    }
}

/// What proves users by tokens as their site signs them, with its own secret and its own claims.
pub fn auth(settings: &Settings) -> Result<identity::Settings, StartError> {
    let usual = apps::auth(settings)?;
    let mut secrets = usual.secrets;
    if let Some(secret) = &settings.socketio.jwt_secret {
        let secret = identity::keys::Secret::new(secret.expose().as_bytes()).map_err(StartError::new)?;
        secrets.push(secret);
    }
    let split = |names: &[String], usual: &str| match names.split_first() {
        Some((first, others)) => (first.clone(), others.to_vec()),
        None => (usual.to_owned(), Vec::new()),
    };
    let (user_claim, other_user_claims) = split(&settings.socketio.user_claims, &usual.policy.user_claim);
    let (roles_claim, other_roles_claims) = split(&settings.socketio.role_claims, &usual.policy.roles_claim);
    let policy =
        identity::Policy { user_claim, other_user_claims, roles_claim, other_roles_claims, ..usual.policy };
    // Keys that are fetched belong to the usual tokens.
    Ok(identity::Settings { policy, secrets, key_set: None, source: None, ..usual })
}
