//! Certificates that an authority issues while the server runs (ACME, challenge tls-alpn-01).

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use deskbell_core::limits;
use futures_core::Stream as _;
use rustls::ServerConfig;
use rustls::server::{Acceptor as HelloReader, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState, EventOk, ResolvesServerCertAcme, is_tls_alpn_challenge};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::{NoTls, client, server_config};

/// What to order, and where.
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// The host names of the certificate.
    pub domains: Vec<String>,
    /// An e-mail address to which the authority writes.
    pub contact: Option<String>,
    /// The address of the authority's directory.
    pub directory: String,
    /// Where the account's key and the certificate are kept; only this user may read it.
    pub cache: PathBuf,
    /// A PEM text with authorities to trust besides the system's when talking to the directory.
    pub extra_roots: Option<Vec<u8>>,
}

type Orders = AcmeState<io::Error, io::Error>;

/// Orders, keeps, shows and renews a certificate.
pub struct Acme {
    settings: AcmeSettings,
    trust: Arc<rustls::ClientConfig>,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
    challenge_config: Arc<ServerConfig>,
    is_ready: watch::Sender<bool>,
    /// Whoever drives the orders holds this, so that there is one driver.
    driver: Mutex<()>,
    pub(super) silence: Duration,
}

/// What is shown to clients, and to the authority when it looks whether we hold the domain.
#[derive(Debug)]
struct Shown {
    serving: ArcSwap<ResolvesServerCertAcme>,
    ordering: ArcSwap<ResolvesServerCertAcme>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let from = if is_tls_alpn_challenge(&hello) { &self.ordering } else { &self.serving };
        from.load().resolve(hello)
    }
}

impl Acme {
    /// Makes ready what orders need. Nothing is ordered before [`Self::run`].
    pub fn new(settings: AcmeSettings) -> Result<Self, NoTls> {
        if settings.domains.is_empty() {
            return Err(NoTls("no host name to order a certificate for; give tls.acme.domains".to_owned()));
        }
        make_private_directory(&settings.cache).map_err(|error| {
            let cache = settings.cache.display();
            NoTls(format!("the certificate cache {cache} cannot be made private ({error}); check its rights"))
        })?;
        let trust = client::config(settings.extra_roots.as_deref())?;
        let first = orders(&settings, &trust).resolver();
        let shown =
            Arc::new(Shown { serving: ArcSwap::new(Arc::clone(&first)), ordering: ArcSwap::new(first) });
        let config = server_config(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>)?;
        let mut challenge_config = ServerConfig::clone(&config);
        challenge_config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        Ok(Self {
            settings,
            trust,
            shown,
            config,
            challenge_config: Arc::new(challenge_config),
            is_ready: watch::Sender::new(false),
            driver: Mutex::new(()),
            silence: Duration::from_millis(limits::ACME_SILENCE),
        })
    }

    /// Is there a certificate to show?
    pub fn is_ready(&self) -> bool {
        *self.is_ready.borrow()
    }

    /// Waits until there is a certificate to show.
    pub async fn until_ready(&self) {
        // The sender lives in `self`, so the wait cannot fail while somebody waits here.
        let _ = self.is_ready.subscribe().wait_for(|is_ready| *is_ready).await;
    }

    /// Loads, orders and renews, for as long as it is polled.
    ///
    /// Requests to the authority know no time limit. So when nothing at all was heard for a day the
    /// state is built anew from the cache, which costs one file read and no order.
    pub async fn run(&self) {
        let _driver = self.driver.lock().await;
        loop {
            let mut orders = orders(&self.settings, &self.trust);
            self.shown.ordering.store(orders.resolver());
            while let Ok(Some(event)) =
                tokio::time::timeout(self.silence, poll_fn(|cx| Pin::new(&mut orders).poll_next(cx))).await
            {
                self.note(event, &orders);
            }
        }
    }

    /// Does the handshake. `None`: it was the authority, and the connection is over.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let started = LazyConfigAcceptor::new(HelloReader::default(), stream).await?;
        if is_tls_alpn_challenge(&started.client_hello()) {
            let mut challenge = started.into_stream(Arc::clone(&self.challenge_config)).await?;
            challenge.shutdown().await?;
            return Ok(None);
        }
        started.into_stream(Arc::clone(&self.config)).await.map(Some)
    }

    fn note(&self, event: rustls_acme::Event<io::Error, io::Error>, orders: &Orders) {
        let domains = self.settings.domains.join(", ");
        match event {
            Ok(EventOk::DeployedCachedCert) => {
                self.show(orders);
                tracing::info!(domains, "the kept certificate is in use");
            }
            Ok(EventOk::DeployedNewCert) => {
                self.show(orders);
                tracing::info!(domains, "a new certificate is in use");
            }
            Ok(EventOk::CertCacheStore | EventOk::AccountCacheStore) => {
                tracing::debug!(domains, "the certificate cache was written");
            }
            Err(error) => tracing::warn!(
                domains,
                directory = self.settings.directory,
                %error,
                "no new certificate; it is tried again. The authority must reach this server on port 443 \
                 under each of these names"
            ),
        }
    }

    fn show(&self, orders: &Orders) {
        self.shown.serving.store(orders.resolver());
        self.is_ready.send_replace(true);
    }
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme").field("domains", &self.settings.domains).finish_non_exhaustive()
    }
}

fn orders(settings: &AcmeSettings, trust: &Arc<rustls::ClientConfig>) -> Orders {
    let contact = settings.contact.iter().map(|address| match address.split_once(':') {
        Some(_) => address.clone(),
        None => format!("mailto:{address}"),
    });
    AcmeConfig::new_with_client_config(&settings.domains, Arc::clone(trust))
        .directory(&settings.directory)
        .contact(contact)
        .cache(DirCache::new(settings.cache.clone()))
        .state()
}

/// The directory holds private keys, and the cache writes its files with the process's usual rights.
#[cfg(unix)]
fn make_private_directory(directory: &Path) -> io::Result<()> {
    use std::fs::{DirBuilder, Permissions, set_permissions};
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    set_permissions(directory, Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private_directory(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)
}
