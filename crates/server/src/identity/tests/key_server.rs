//! A little server of key sets, over http or https, that counts what it is asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

#[derive(Clone)]
struct Answer {
    status: u16,
    body: Bytes,
    is_open: bool,
}

pub struct KeyServer {
    pub url: String,
    answer: watch::Sender<Answer>,
    asked: Arc<Mutex<Vec<Instant>>>,
    task: JoinHandle<()>,
}

impl KeyServer {
    pub async fn start(keys: &[Value]) -> Self {
        Self::listen(keys, None).await
    }

    /// A server with a certificate of its own, and that certificate.
    pub async fn start_tls(keys: &[Value]) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.key_pair.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        (Self::listen(keys, Some(TlsAcceptor::from(Arc::new(config)))).await, made.cert.pem())
    }

    async fn listen(keys: &[Value], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/jwks.json", listener.local_addr().unwrap().port());
        let (answer, _) = watch::channel(Answer { status: 200, body: set(keys), is_open: true });
        let asked = Arc::default();
        let task = tokio::spawn(accept(listener, tls, answer.clone(), Arc::clone(&asked)));
        Self { url, answer, asked, task }
    }

    pub fn publish(&self, keys: &[Value]) {
        self.say(200, set(keys));
    }

    pub fn say(&self, status: u16, body: Bytes) {
        self.answer.send_modify(|answer| (answer.status, answer.body) = (status, body));
    }

    /// Holds every answer back, or lets them go.
    pub fn open(&self, is_open: bool) {
        self.answer.send_modify(|answer| answer.is_open = is_open);
    }

    pub fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn set(keys: &[Value]) -> Bytes {
    serde_json::json!({ "keys": keys }).to_string().into()
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answer: watch::Sender<Answer>,
    asked: Arc<Mutex<Vec<Instant>>>,
) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (tls, answer, asked) = (tls.clone(), answer.subscribe(), Arc::clone(&asked));
        tokio::spawn(async move {
            match tls {
                None => serve(tcp, answer, asked).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, answer, asked).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: watch::Receiver<Answer>,
    asked: Arc<Mutex<Vec<Instant>>>,
) {
    let respond = |request: Request<Incoming>| {
        let (mut answer, asked) = (answer.clone(), Arc::clone(&asked));
        async move {
            assert_eq!(request.uri().path(), "/jwks.json");
            assert!(request.headers()["host"].to_str().unwrap().starts_with("localhost:"));
            asked.lock().unwrap().push(Instant::now());
            let now = answer.wait_for(|answer| answer.is_open).await.unwrap().clone();
            let response = Response::builder().status(now.status).body(Full::new(now.body)).unwrap();
            Ok::<_, Infallible>(response)
        }
    };
    // A client that goes away early is its own affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond)).await;
}
