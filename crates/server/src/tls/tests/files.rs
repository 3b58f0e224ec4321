//! Certificates from files: handshakes, reloads, and every way in which files are wrong.

use super::super::files::CertificateFiles;
use super::*;
use crate::tls::Acceptor;

const NOW: u64 = 1_800_000_000_000;

fn acceptor(pair: &(PathBuf, PathBuf)) -> Acceptor {
    let (certificate, warnings) = CertificateFiles::load(&pair.0, &pair.1, NOW).unwrap();
    assert_eq!(warnings, [""; 0]);
    Acceptor::files(Arc::new(certificate)).unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_gets_through() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let acceptor = acceptor(&issuer.issue_into(&scratch, "desk.test"));
    let listening = Listening::start(acceptor, 0).await;
    greeted(listening.port, "desk.test", &issuer.root()).await.unwrap();
    greeted(listening.port, "other.test", &issuer.root()).await.unwrap_err();
    greeted(listening.port, "desk.test", &Issuer::new().root()).await.unwrap_err();
    greeted_with(listening.port, "desk.test", &issuer.root(), "h2").await.unwrap_err();
    greeted(listening.port, "desk.test", &issuer.root()).await.unwrap();
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_or_keeps_the_old_one() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let pair = issuer.issue_into(&scratch, "desk.test");
    let acceptor = acceptor(&pair);
    let listening = Listening::start(acceptor.clone(), 0).await;
    let first = greeted(listening.port, "desk.test", &issuer.root()).await.unwrap();

    // Certificate and key are replaced one after the other, and somebody reloads in between.
    let (certificate, key) = issuer.issue("desk.test", (2020, 2090));
    scratch.write("cert.pem", certificate);
    assert!(acceptor.reload(NOW).unwrap_err().0.contains("is not the key of"));
    assert_eq!(greeted(listening.port, "desk.test", &issuer.root()).await.unwrap(), first);
    scratch.write("key.pem", key);
    assert!(acceptor.reload(NOW).unwrap().is_empty());
    assert_ne!(greeted(listening.port, "desk.test", &issuer.root()).await.unwrap(), first);
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_to_do() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let (certificate, key) = issuer.issue_into(&scratch, "desk.test");
    let locked = scratch.write(
        "locked.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let damaged =
        scratch.write("damaged.pem", "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n");
    let broken =
        scratch.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let other = scratch.write("other.pem", issuer.issue("desk.test", (2020, 2090)).1);
    let missing = scratch.0.join("missing.pem");
    let table = [
        (&missing, &key, "missing.pem cannot be read"),
        (&certificate, &missing, "missing.pem cannot be read"),
        (&key, &key, "key.pem holds no certificate"),
        (&certificate, &certificate, "cert.pem holds no private key"),
        (&certificate, &locked, "passphrase"),
        (&damaged, &key, "damaged.pem is damaged"),
        (&certificate, &other, "other.pem is not the key of the first certificate in"),
        (&broken, &key, "cannot be used"),
    ];
    for (certificate, key, expected) in table {
        let error = CertificateFiles::load(certificate, key, NOW).unwrap_err();
        assert!(error.0.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_certificate_that_does_not_hold_now_is_a_warning() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    for (years, expected) in [((2010, 2020), "has expired"), ((2080, 2090), "does not hold yet")] {
        let (certificate, key) = issuer.issue("desk.test", years);
        let (certificate, key) = (scratch.write("c.pem", certificate), scratch.write("k.pem", key));
        let (files, warnings) = CertificateFiles::load(&certificate, &key, NOW).unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?}");
        let seconds = rcgen::date_time_ymd(years.1, 1, 1).unix_timestamp();
        assert_eq!(files.expires_at(), Some(seconds as u64 * 1_000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let acceptor = acceptor(&issuer.issue_into(&scratch, "desk.test"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert_eq!(acceptor.accept(stream).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_is_an_error() {
    let (scratch, issuer) = (Scratch::new(), Issuer::new());
    let acceptor = acceptor(&issuer.issue_into(&scratch, "desk.test"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut plain = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: desk.test\r\n\r\n").await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    assert_eq!(acceptor.accept(stream).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}
