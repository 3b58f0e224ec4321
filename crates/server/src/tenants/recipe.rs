//! From what the settings say of all apps, and what is known of one, an app is made.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, ArcSwapOption};
use deskbell_core::access::Rules;
use deskbell_core::class::Classes;
use deskbell_core::cursor::CursorKey;
use deskbell_core::ids::AppId;
use deskbell_core::projection::Table;
use tokio::sync::Notify;

use super::{Fed, Record, Tenants};
use crate::app::{App, Secret};
use crate::appointease;
use crate::clock;
use crate::identity::{self, Verifier};
use crate::portico;
use crate::pusher::{Occupancy, Own, Terms};
use crate::socketio;
use crate::store::Tenant;

/// What the settings say of all apps.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Who may do what.
    pub rules: Rules,
    /// What channels keep.
    pub classes: Classes,
    /// What clients of a dialect are shown under their own names.
    pub projections: Arc<Table>,
    /// What proves users, without the app's own secret.
    pub auth: identity::Settings,
    /// The same for tokens as the site of Socket.IO clients signs them.
    pub site: identity::Settings,
    /// What clients of the Socket.IO dialect are agreed with.
    pub socketio: Arc<socketio::Terms>,
    /// The same for the Pusher dialect.
    pub pusher: Terms,
    /// The same for the Portico dialect.
    pub portico: Arc<portico::Terms>,
    /// The same for the AppointEase dialect, if it is served.
    pub appointease: Option<Arc<appointease::Terms>>,
}

/// What is known of one app.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Its number.
    pub id: AppId,
    /// Its key.
    pub key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// What it has otherwise in the Pusher dialect.
    pub own: &'a Own,
    /// As it is stored, if it is.
    pub tenant: Option<Arc<Tenant>>,
}

impl<'a> Facts<'a> {
    /// Of an app that is stored, and what its record says.
    pub fn of_stored(tenant: &'a Arc<Tenant>, record: &'a Record) -> Self {
        let (secret, own) = (&record.secret, &record.pusher);
        Self { id: tenant.id, key: &tenant.key, secret, own, tenant: Some(tenant.clone()) }
    }
}

/// What is made of the recipe and one app's facts, and may change while the app is there.
#[derive(Debug)]
pub struct Portion {
    secret: String,
    auth: identity::Settings,
    site: identity::Settings,
    pusher: Terms,
}

impl Recipe {
    /// Makes what may change; everything that can fail is here.
    pub fn portion(&self, secret: &str, own: &Own) -> Result<Portion, String> {
        let signed = |settings: &identity::Settings| {
            let mut settings = settings.clone();
            settings
                .secrets
                .push(identity::keys::Secret::new(secret.as_bytes()).map_err(|bad| bad.to_string())?);
            // Tried here, so that taking it later cannot fail.
            Verifier::new(settings.clone()).map_err(|bad| bad.to_string())?;
            Ok::<_, String>(settings)
        };
        let pusher = self.pusher.with(own).map_err(|bad| format!("the app's auth_url {}", bad.sentence()))?;
        Ok(Portion {
            secret: secret.to_owned(),
            auth: signed(&self.auth)?,
            site: signed(&self.site)?,
            pusher,
        })
    }

    /// Gives an app that is there what is new.
    pub fn serve(&self, app: &App, portion: Portion) -> Result<(), String> {
        app.verifier.replace(portion.auth).map_err(|bad| bad.to_string())?;
        app.site.replace(portion.site).map_err(|bad| bad.to_string())?;
        app.secret.replace(&portion.secret);
        app.pusher.store(Arc::new(portion.pusher));
        app.appointease.terms.store(self.appointease.clone());
        app.socketio.store(self.socketio.clone());
        app.portico.store(self.portico.clone());
        app.projections.store(self.projections.clone());
        app.rules.store(Arc::new(self.rules.clone()));
        app.log.with(|log| log.set_classes(self.classes.clone()));
        Ok(())
    }
}

impl Tenants {
    /// Makes an app for a place, over a log that the ledger's rows go into.
    pub fn make(&self, index: usize, facts: &Facts<'_>, fed: Fed) -> Result<App, String> {
        let recipe = self.recipe.load_full();
        let Portion { secret, auth, site, pusher } = recipe.portion(facts.secret, facts.own)?;
        let end = fed.log.end();
        let away = portico::Away::new(fed.log.with(|log| log.head()), clock::now_ms());
        let verifier = Verifier::new(auth).map_err(|bad| bad.to_string())?;
        Ok(App {
            index,
            id: facts.id,
            key: facts.key.to_owned(),
            secret: Secret::new(&secret),
            log: fed.log,
            cursors: CursorKey::derive(&self.stored, facts.id),
            rules: ArcSwap::from_pointee(recipe.rules.clone()),
            members: self.members.clone(),
            projections: ArcSwap::new(recipe.projections.clone()),
            rows: fed.rows,
            verifier,
            site: Verifier::new(site).map_err(|bad| bad.to_string())?,
            socketio: ArcSwap::new(recipe.socketio.clone()),
            words: socketio::Words::default(),
            pusher: ArcSwap::from_pointee(pusher),
            portico: ArcSwap::new(recipe.portico.clone()),
            away,
            pages: AtomicUsize::new(0),
            occupancy: Occupancy::default(),
            connected: AtomicUsize::new(0),
            polling: Arc::default(),
            questions: socketio::Questions::default(),
            appointease: appointease::Site::new(recipe.appointease.as_deref().cloned(), end, clock::now_ms()),
            selections: Mutex::default(),
            tenant: ArcSwapOption::new(facts.tenant.clone()),
            gone: AtomicBool::new(false),
            left: Notify::new(),
        })
    }
}
