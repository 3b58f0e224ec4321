//! SIGHUP: takes the settings that can change while the server runs.

use std::sync::Arc;

use super::{Running, StartError, build};
use crate::config::Settings;
use crate::shard::Letter;

/// Reads the configuration again. What is wrong with it is told, and nothing changes.
pub fn reload(running: &mut Running) {
    let settings = match running.settings.reread() {
        Ok(settings) => settings,
        Err(errors) => {
            tracing::error!("the configuration was not reloaded: {errors}");
            return;
        }
    };
    for key in &Settings::reload_difference(&running.settings, &settings).restart {
        tracing::warn!("{key} has changed, but counts only after a restart");
    }
    match take(running, &settings) {
        Ok(()) => {
            running.settings = settings;
            tracing::info!("the configuration was reloaded");
        }
        Err(error) => tracing::error!("the configuration was not reloaded: {error}"),
    }
}

fn take(running: &mut Running, settings: &Settings) -> Result<(), StartError> {
    let hub = &running.hub;
    let (rules, classes) = (build::rules(settings)?, build::classes(settings)?);
    for app in &hub.apps {
        let wish = settings.apps.get(app.index).and_then(|app| app.secret.as_ref());
        let secret = wish.map_or_else(|| app.secret.expose().to_owned(), |secret| secret.expose().to_owned());
        app.verifier.replace(build::auth(settings, &secret)?).map_err(StartError::new)?;
        app.rules.store(Arc::new(rules.clone()));
        app.log.with(|log| log.set_classes(classes.clone()));
    }
    hub.tuning.store(Arc::new(build::tuning(settings)));
    hub.front.store(Arc::new(build::front(settings)));
    if let Some(tls) = &running.tls {
        let warnings = tls.reload(crate::clock::now_ms()).map_err(StartError::new)?;
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }
    running.log_file.reopen().map_err(StartError::new)?;
    for mailbox in &hub.mailboxes {
        // Every shard looks at its subscriptions again; a lost right ends them.
        mailbox.answer(Letter::Recheck);
    }
    Ok(())
}
