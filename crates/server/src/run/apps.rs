//! Makes the apps: those of the configuration, those that are stored, and what the settings say of all of them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use deskbell_core::ids::AppId;
use deskbell_core::limits;
use deskbell_core::log::{Carry, Log};
use deskbell_core::operator::Operator;
use deskbell_core::position::Epoch;
use tokio::sync::watch;

use super::rules::{classes, projections, rules};
use super::{StartError, portico, pusher, socketio};
use crate::app::{Apps, Secret};
use crate::bell::Bells;
use crate::clock;
use crate::config::Settings;
use crate::identity;
use crate::log::AppLog;
use crate::shard::Cradle;
use crate::store::Opened;
use crate::tenants::{self, Facts, Fed, Recipe, Record, Tenants};

pub fn operator(settings: &Settings) -> Result<Option<Operator>, StartError> {
    let Some(wish) = &settings.admin else { return Ok(None) };
    let operator = Operator::new(&wish.username, wish.password.expose());
    let short = "socketio_admin.password has fewer than 16 characters; take a longer one";
    operator.map(Some).ok_or_else(|| StartError(short.to_owned()))
}

pub fn tenants(settings: &Settings, opened: &Opened, cradles: &[Cradle]) -> Result<Tenants, StartError> {
    Ok(Tenants {
        recipe: ArcSwap::from_pointee(recipe(settings)?),
        logs: Arc::default(),
        bells: Bells::new(cradles.iter().map(|cradle| cradle.bell.clone()).collect()),
        stored: opened.installation().secret,
        members: opened.members(),
        operator: settings.operator_secret.as_ref().map(|secret| Secret::new(secret.expose())),
        turn: tokio::sync::Mutex::new(()),
    })
}

/// The apps of the configuration, and those that are stored.
pub fn apps(settings: &Settings, opened: &mut Opened, tenants: &Tenants) -> Result<Apps, StartError> {
    let made = opened.installation().app.clone();
    let apps = Apps::default();
    for wish in &settings.apps {
        let facts = Facts {
            id: wish.id.map_or(made.id, AppId),
            key: wish.key.as_ref().unwrap_or(&made.key),
            secret: wish.secret.as_ref().map_or(made.secret.as_str(), |secret| secret.expose()),
            own: &pusher::own(wish),
            tenant: None,
        };
        add(settings, opened, tenants, (&apps, &facts))?;
    }
    for tenant in opened.tenants().map_err(StartError::new)? {
        let other = apps.iter().find(|app| app.id == tenant.id || app.key == tenant.key);
        if let Some(app) = other {
            return Err(StartError(tenants::clash(app, &tenant)));
        }
        let record = Record::read(&tenant).map_err(StartError)?;
        let tenant = Arc::new(tenant);
        let facts = Facts::of_stored(&tenant, &record);
        add(settings, opened, tenants, (&apps, &facts))?;
    }
    Ok(apps)
}

fn add(
    settings: &Settings,
    opened: &mut Opened,
    tenants: &Tenants,
    (apps, facts): (&Apps, &Facts<'_>),
) -> Result<(), StartError> {
    let row = opened.head(facts.id).map_err(StartError::new)?.0;
    let log = Arc::new(AppLog::new(open_log(settings, opened, facts.id)?, tenants.bells.clone()));
    let fed = Fed { log, rows: Arc::new(watch::Sender::new(row)) };
    tenants.logs.begin(facts.id, fed.clone(), row);
    let added = apps.add(|index| tenants.make(index, facts, fed)).map_err(StartError)?;
    let app = added.ok_or_else(|| StartError(format!("there are more than {} apps", limits::APPS)))?;
    app.verifier.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(())
}

/// What the settings say of all apps.
pub fn recipe(settings: &Settings) -> Result<Recipe, StartError> {
    Ok(Recipe {
        rules: rules(settings)?,
        classes: classes(settings)?,
        projections: Arc::new(projections(settings)?),
        auth: auth(settings)?,
        site: socketio::auth(settings)?,
        socketio: Arc::new(socketio::terms(settings)?),
        portico: Arc::new(portico::terms(settings)?),
        pusher: pusher::terms(settings)?,
        appointease: super::appointease::terms(settings)?.map(Arc::new),
    })
}

/// A log that goes on from a clean stop, or a new one at the ledger's head.
fn open_log(settings: &Settings, opened: &mut Opened, id: AppId) -> Result<Log, StartError> {
    let classes = classes(settings)?;
    let (row, check) = opened.head(id).map_err(StartError::new)?;
    let carry = opened.take_carry(id).map_err(StartError::new)?;
    let carry = carry.and_then(|json| match serde_json::from_str::<Carry>(&json) {
        Ok(carry) => Some(carry),
        Err(error) => {
            tracing::warn!(%error, "what the last run left cannot be read; memory channels begin anew");
            None
        }
    });
    let mut log = match carry {
        Some(carry) => Log::resume(carry, row, check, classes, clock::now_ms()),
        None => {
            let mut log = Log::new(Epoch(clock::random_u64()), row, check, classes);
            if !opened.is_first_start() {
                // After a crash everybody comes back at once, and nobody wants to hear of each.
                log.gather_joins(clock::now_ms() + settings.session.presence_grace_ms);
            }
            log
        }
    };
    let since = clock::now_ms().saturating_sub(limits::CACHED_AGE);
    opened
        .cached(id, &log.head(), since)
        .map_err(StartError::new)?
        .into_iter()
        .for_each(|entry| log.recall(entry));
    Ok(log)
}

/// What proves users, beside the secret of their app.
pub fn auth(settings: &Settings) -> Result<identity::Settings, StartError> {
    let auth = &settings.auth;
    let secrets = auth
        .jwt_secret
        .iter()
        .chain(&auth.other_jwt_secret)
        .map(|secret| identity::keys::Secret::new(secret.expose().as_bytes()))
        .collect::<Result<_, _>>()
        .map_err(StartError::new)?;
    let public_keys = match &auth.jwt_public_key {
        None => Vec::new(),
        Some(path) => {
            let read = std::fs::read(path);
            vec![
                read.map_err(|error| StartError(format!("auth.jwt_public_key {}: {error}", path.display())))?,
            ]
        }
    };
    let source = match &auth.jwks_url {
        None => None,
        Some(url) => Some(identity::Source {
            endpoint: identity::fetch::Endpoint::new(url, None).map_err(StartError::new)?,
            pace: identity::Pace {
                every: std::time::Duration::from_millis(auth.jwks_refresh_ms),
                ..identity::Pace::default()
            },
        }),
    };
    let algorithms = auth.jwt_algorithms.iter().map(|word| {
        identity::keys::Algorithm::parse(word)
            .ok_or_else(|| StartError(format!("auth.jwt_algorithms: \"{word}\" is not known")))
    });
    let policy = identity::Policy {
        algorithms: algorithms.collect::<Result<_, _>>()?,
        issuers: auth.issuer.iter().cloned().collect(),
        audiences: auth.audience.iter().cloned().collect(),
        leeway: auth.leeway_ms,
        user_claim: auth.user_claim.clone(),
        roles_claim: auth.roles_claim.clone(),
        ..identity::Policy::default()
    };
    Ok(identity::Settings { policy, secrets, public_keys, key_set: None, source })
}
