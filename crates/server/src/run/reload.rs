//! SIGHUP: takes the settings that can change while the server runs.

use std::sync::Arc;

use super::{Running, StartError, apps, build, outward, pusher};
use crate::app::App;
use crate::config::{AppSettings, Settings};
use crate::pusher::Own;
use crate::shard::Letter;
use crate::tenants::{Portion, Recipe, Record};

/// Reads the configuration again. What is wrong with it is told, and nothing changes.
pub fn reload(running: &mut Running) {
    let settings = match running.settings.reread() {
        Ok(settings) => settings,
        Err(errors) => {
            tracing::error!("the configuration was not reloaded: {errors}");
            return;
        }
    };
    match take(running, &settings) {
        Ok(()) => {
            for key in waiting(running, &settings) {
                tracing::warn!("{key} has changed, but counts only after a restart");
            }
            running.settings = settings;
            tracing::info!("the configuration was reloaded");
        }
        Err(error) => tracing::error!("the configuration was not reloaded: {error}"),
    }
}

/// Options whose new values a running server cannot take.
fn waiting(running: &Running, settings: &Settings) -> Vec<&'static str> {
    let mut keys = Settings::reload_difference(&running.settings, settings).restart;
    let identified = |settings: &Settings| -> Vec<_> {
        settings.apps.iter().map(|app| (app.id, app.key.clone())).collect()
    };
    let is_single = settings.apps.len() == 1 && running.settings.apps.len() == 1;
    if !is_single && identified(settings) != identified(&running.settings) {
        keys.push("apps");
    }
    keys
}

/// Everything that can fail comes first, so that a reload is taken whole or not at all.
fn take(running: &Running, settings: &Settings) -> Result<(), StartError> {
    let hub = &running.hub;
    let recipe = Arc::new(apps::recipe(settings)?);
    let redis = outward::redis(settings, &hub.apps)?;
    let portion = |app| portion(app, settings, &recipe).map(|portion| (app, portion));
    let portions = hub.apps.iter().map(portion).collect::<Result<Vec<_>, _>>()?;
    if let Some(tls) = &running.tls {
        let warnings = tls.reload(crate::clock::now_ms()).map_err(StartError::new)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }
    running.logging.reload(&settings.log).map_err(StartError::new)?;
    hub.tenants.recipe.store(recipe.clone());
    for (app, portion) in portions {
        recipe.serve(app, portion).map_err(StartError)?;
    }
    hub.redis.replace(redis);
    hub.tuning.store(Arc::new(build::tuning(settings)));
    let mut front = build::front(settings);
    let origins = |app| own(app, settings).map_or_else(Vec::new, |own| own.origins.clone());
    front.app_origins = hub.apps.ever().map(origins).collect();
    hub.front.store(Arc::new(front));
    for mailbox in &hub.mailboxes {
        // Every shard looks at its subscriptions again; a lost right ends them.
        mailbox.answer(Letter::Recheck);
    }
    Ok(())
}

/// The settings of an app that runs, found by its id: rows may have moved, come and gone. A stored one has none.
fn own<'a>(app: &App, settings: &'a Settings) -> Option<&'a AppSettings> {
    if app.tenant.load().is_some() {
        return None;
    }
    let own = settings.apps.iter().find(|wish| wish.id == Some(app.id.0));
    // The first app may have no id in the file: it was made at the first start.
    own.or_else(|| settings.apps.first().filter(|first| app.index == 0 && first.id.is_none()))
}

fn portion(app: &App, settings: &Settings, recipe: &Recipe) -> Result<Portion, StartError> {
    let wish = own(app, settings);
    let secret = wish.and_then(|wish| wish.secret.as_ref());
    let secret = secret.map_or_else(|| app.secret.expose().to_string(), |secret| secret.expose().to_owned());
    let terms = match (&*app.tenant.load(), wish) {
        (Some(tenant), _) => Record::read(tenant).map_err(StartError)?.pusher,
        (None, Some(wish)) => pusher::own(wish),
        // It is in the configuration no more, which counts after a restart.
        (None, None) => Own::default(),
    };
    recipe.portion(&secret, &terms).map_err(StartError)
}
