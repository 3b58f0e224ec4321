//! SIGHUP: takes the settings that can change while the server runs.

use std::sync::Arc;

use deskbell_core::access::Rules;
use deskbell_core::class::Classes;

use super::{Running, StartError, appointease, build, outward, portico, pusher, socketio};
use crate::app::App;
use crate::config::{AppSettings, Settings};
use crate::identity;
use crate::pusher::Terms;
use crate::shard::Letter;

/// What one app takes.
struct News {
    secret: String,
    auth: identity::Settings,
    site: identity::Settings,
    terms: Option<Terms>,
}

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
    let (rules, classes) = (build::rules(settings)?, build::classes(settings)?);
    let projections = Arc::new(build::projections(settings)?);
    let redis = outward::redis(settings, &hub.apps)?;
    let talk = Arc::new(socketio::terms(settings)?);
    let pages = Arc::new(portico::terms(settings)?);
    let slots = appointease::terms(settings)?.map(Arc::new);
    let news = hub.apps.iter().map(|app| news(app, settings)).collect::<Result<Vec<_>, _>>()?;
    for one in &news {
        identity::Verifier::new(one.auth.clone()).map_err(StartError::new)?;
        identity::Verifier::new(one.site.clone()).map_err(StartError::new)?;
    }
    if let Some(tls) = &running.tls {
        let warnings = tls.reload(crate::clock::now_ms()).map_err(StartError::new)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
    }
    running.logging.reload(&settings.log).map_err(StartError::new)?;
    for (app, news) in hub.apps.iter().zip(news) {
        apply(app, news, &rules, &classes)?;
        app.projections.store(projections.clone());
        app.socketio.store(talk.clone());
        app.portico.store(pages.clone());
        app.appointease.terms.store(slots.clone());
    }
    hub.redis.replace(redis);
    hub.tuning.store(Arc::new(build::tuning(settings)));
    let mut front = build::front(settings);
    front.app_origins = hub
        .apps
        .iter()
        .map(|app| own(app, settings).map_or_else(Vec::new, |own| own.origins.clone()))
        .collect();
    hub.front.store(Arc::new(front));
    for mailbox in &hub.mailboxes {
        // Every shard looks at its subscriptions again; a lost right ends them.
        mailbox.answer(Letter::Recheck);
    }
    Ok(())
}

/// The settings of an app that runs, found by its id: rows may have moved, come and gone.
fn own<'a>(app: &App, settings: &'a Settings) -> Option<&'a AppSettings> {
    let own = settings.apps.iter().find(|wish| wish.id == Some(app.id.0));
    // The first app may have no id in the file: it was made at the first start.
    own.or_else(|| settings.apps.first().filter(|first| app.index == 0 && first.id.is_none()))
}

fn news(app: &App, settings: &Settings) -> Result<News, StartError> {
    let wish = own(app, settings).and_then(|wish| wish.secret.as_ref());
    let secret = wish.map_or_else(|| app.secret.expose().to_string(), |secret| secret.expose().to_owned());
    let terms = own(app, settings).map(|own| pusher::terms(settings, own)).transpose()?;
    let (auth, site) = (build::auth(settings, &secret)?, socketio::auth(settings, &secret)?);
    Ok(News { secret, auth, site, terms })
}

fn apply(app: &App, news: News, rules: &Rules, classes: &Classes) -> Result<(), StartError> {
    app.verifier.replace(news.auth).map_err(StartError::new)?;
    app.site.replace(news.site).map_err(StartError::new)?;
    app.secret.replace(&news.secret);
    if let Some(terms) = news.terms {
        app.pusher.store(Arc::new(terms));
    }
    app.rules.store(Arc::new(rules.clone()));
    app.log.with(|log| log.set_classes(classes.clone()));
    Ok(())
}
