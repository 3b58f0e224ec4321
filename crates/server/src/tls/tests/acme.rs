//! Certificates by ACME, ordered from a real authority on this machine.

use tokio::time::timeout;

use super::super::acme::{Acme, AcmeSettings};
use super::authority::{Authority, free};
use super::*;

fn settings(scratch: &Scratch, directory: &str, roots: &str) -> AcmeSettings {
    AcmeSettings {
        domains: vec!["deskbell.test".to_owned(), "www.deskbell.test".to_owned()],
        contact: Some("desk@deskbell.test".to_owned()),
        directory: directory.to_owned(),
        cache: scratch.0.join("acme"),
        extra_roots: Some(roots.as_bytes().to_vec()),
    }
}

struct Running(Arc<Acme>, Listening, JoinHandle<()>);

impl Running {
    async fn start(acme: Acme, port: u16) -> Self {
        let acme = Arc::new(acme);
        let listening = Listening::start(Acceptor::acme(Arc::clone(&acme)), port).await;
        let orders = order(&acme);
        Self(acme, listening, orders)
    }
}

fn order(acme: &Arc<Acme>) -> JoinHandle<()> {
    let acme = Arc::clone(acme);
    tokio::spawn(async move { acme.run().await })
}

impl Drop for Running {
    fn drop(&mut self) {
        self.2.abort();
    }
}

#[tokio::test]
async fn a_certificate_is_ordered_and_kept_over_a_restart() {
    let scratch = Scratch::new();
    let port = free();
    let authority = Authority::start(&scratch, port).await;
    let (directory, root) = (authority.directory.clone(), authority.issued_root.clone());
    let settings = settings(&scratch, &directory, &authority.own_root);

    let running = Running::start(Acme::new(settings.clone()).unwrap(), port).await;
    timeout(SOON, running.0.until_ready()).await.expect("the authority issues a certificate");
    let through = running.1.greeted.load(Ordering::Relaxed);
    assert_eq!(through, 0, "the authority's own connections end with the handshake");
    let first = greeted(port, "deskbell.test", &root).await.unwrap();
    assert_eq!(greeted(port, "www.deskbell.test", &root).await.unwrap(), first);
    greeted(port, "other.test", &root).await.unwrap_err();
    assert_eq!(mode(&settings.cache), 0o700);
    wait_for_kept(&settings.cache).await;

    // The authority is gone, so what a restarted server shows can only be what it kept.
    drop(running);
    drop(authority);
    let again = Running::start(Acme::new(settings).unwrap(), 0).await;
    timeout(SOON, again.0.until_ready()).await.expect("the kept certificate is used");
    assert_eq!(greeted(again.1.port, "deskbell.test", &root).await.unwrap(), first);
}

/// The certificate is shown first and written then.
async fn wait_for_kept(cache: &Path) {
    let is_kept = || {
        std::fs::read_dir(cache).unwrap().any(|entry| {
            let file = entry.unwrap().path();
            std::fs::read_to_string(file)
                .is_ok_and(|text| text.trim_end().ends_with("-----END CERTIFICATE-----"))
        })
    };
    let until_kept = async {
        while !is_kept() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, until_kept).await.expect("the certificate is kept");
}

#[tokio::test]
async fn an_order_that_the_authority_refuses_is_made_again() {
    let scratch = Scratch::new();
    let port = free();
    let authority = Authority::start(&scratch, port).await;
    // Whoever looks whether the names are ours finds somebody who hangs up, and the order is void.
    let deaf = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let settings = settings(&scratch, &authority.directory, &authority.own_root);
    let acme = Arc::new(Acme::new(settings).unwrap());
    let orders = order(&acme);
    drop(timeout(SOON, deaf.accept()).await.expect("the authority looks").unwrap());
    drop(deaf);
    let listening = Listening::start(Acceptor::acme(Arc::clone(&acme)), port).await;
    let running = Running(acme, listening, orders);
    timeout(SOON, running.0.until_ready()).await.expect("the next order is fulfilled");
    greeted(port, "deskbell.test", &authority.issued_root).await.unwrap();
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_through() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let nobody = format!("https://localhost:{}/dir", free());
    let acme = Acme::new(settings(&scratch, &nobody, &issuer.root())).unwrap();
    let running = Running::start(acme, 0).await;
    greeted(running.1.port, "deskbell.test", &issuer.root()).await.unwrap_err();
    // Nor does somebody who only says that he is the authority.
    greeted_with(running.1.port, "deskbell.test", &issuer.root(), "acme-tls/1").await.unwrap_err();
    assert!(!running.0.is_ready());
}

#[tokio::test]
async fn an_authority_that_hangs_is_asked_again() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = format!("https://localhost:{}/dir", silent.local_addr().unwrap().port());
    let mut acme = Acme::new(settings(&scratch, &directory, &issuer.root())).unwrap();
    acme.silence = Duration::from_millis(100);
    let _running = Running::start(acme, 0).await;
    let _first = timeout(SOON, silent.accept()).await.unwrap().unwrap();
    let _second = timeout(SOON, silent.accept()).await.expect("asked again").unwrap();
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let good = || settings(&scratch, "https://localhost/dir", &issuer.root());
    let refused = |settings: AcmeSettings| Acme::new(settings).unwrap_err().0;
    assert!(refused(AcmeSettings { domains: vec![], ..good() }).contains("tls.acme.domains"));
    assert!(refused(AcmeSettings { extra_roots: Some(b"none".to_vec()), ..good() }).contains("CA file"));
    let occupied = scratch.write("occupied", "a file");
    assert!(refused(AcmeSettings { cache: occupied, ..good() }).contains("cannot be made private"));
}
