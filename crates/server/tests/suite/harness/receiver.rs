//! A receiver of webhooks: a real HTTP server that keeps what it got and answers as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver as Queue, Sender};
use std::sync::{Arc, Mutex};

use deskbell_core::mac;
use serde_json::Value;

use super::DEADLINE;

/// How a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// With this status line's end and further header lines.
    Status(u16, &'static str),
    /// With this status and a body.
    Body(u16, String),
    /// With this status and a body of JSON.
    Json(u16, Value),
    /// Not at all: the connection stays open.
    Nothing,
    /// With 200 and a body that never ends.
    SlowBody,
    /// With 200 and a body that is far too large.
    HugeBody,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Received {
    /// The headers, with lower-case names.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// What was answered.
    pub said: Say,
}

impl Received {
    /// The event's id.
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// When it was sent, as it says: in seconds since 1970.
    pub fn stamp(&self) -> u64 {
        self.headers["webhook-timestamp"].parse().unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The id of the reservation that it is about.
    pub fn about(&self) -> String {
        self.json()["data"]["reservation"]["id"].as_str().unwrap().to_owned()
    }

    /// The signatures are made here anew, with nothing of the server's code but the hash.
    pub fn is_signed_with(&self, secret: &[u8]) -> bool {
        use base64::Engine as _;
        let (id, timestamp) = (self.id(), &self.headers["webhook-timestamp"]);
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &self.body].concat();
        let made = base64::engine::general_purpose::STANDARD.encode(mac::tag(secret, &[&signed]));
        self.headers["webhook-signature"].split(' ').any(|one| one == format!("v1,{made}"))
    }
}

/// Answers in the order of requests; what follows the last is answered like it.
type Script = Box<dyn FnMut(&Received) -> Say + Send>;

/// A receiver at work.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    arrived: Queue<Received>,
}

impl Receiver {
    /// Starts one that answers 200.
    pub fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Starts one on a known port.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::listen(TcpListener::bind(address).unwrap())
    }

    fn listen(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(|_| Say::Status(200, ""))));
        let (sender, arrived) = mpsc::channel();
        let answers = script.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, sender) = (answers.clone(), sender.clone());
                // Each connection carries one request; it ends with it.
                std::thread::spawn(move || drop(serve(stream, &answers, &sender)));
            }
        });
        Self { address, script, arrived }
    }

    /// The address for the configuration.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers so from now on.
    pub fn say(&self, say: Say) {
        self.answer(move |_| say.clone());
    }

    /// Answers by this from now on.
    pub fn answer(&self, script: impl FnMut(&Received) -> Say + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// The next request.
    #[track_caller]
    pub fn next(&self) -> Received {
        self.arrived.recv_timeout(DEADLINE).expect("something is sent to the receiver")
    }

    /// Requests until one is answered with success.
    pub fn next_taken(&self) -> Received {
        loop {
            let received = self.next();
            if received.said == Say::Status(200, "") {
                return received;
            }
        }
    }

    /// What has come and was not looked at.
    pub fn pending(&self) -> Vec<Received> {
        self.arrived.try_iter().collect()
    }
}

fn serve(stream: TcpStream, script: &Mutex<Script>, sender: &Sender<Received>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(DEADLINE * 3))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut headers = HashMap::new();
    let mut line = String::new();
    reader.read_line(&mut line)?;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            // It broke off within the head, so nothing was sent.
            return Ok(());
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut received = Received { headers, body, said: Say::Nothing };
    received.said = (script.lock().unwrap())(&received);
    let said = received.said.clone();
    // The test may have ended.
    let _ = sender.send(received);
    let mut stream = stream;
    match said {
        Say::Status(status, more) => {
            stream.write_all(format!("HTTP/1.1 {status} x\r\n{more}Content-Length: 0\r\n\r\n").as_bytes())?;
        }
        Say::Body(status, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(head.as_bytes())?;
        }
        Say::Json(status, body) => {
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes())?;
        }
        Say::SlowBody | Say::HugeBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")?;
            while said == Say::HugeBody && stream.write_all(&[b' '; 65_536]).is_ok() {}
        }
        Say::Nothing => {}
    }
    // Whoever asked ends the connection.
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest)?;
    Ok(())
}
