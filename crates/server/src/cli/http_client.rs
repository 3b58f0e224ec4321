//! A small blocking HTTP/1.1 client: one request for each connection, every length and time bounded.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::time::Duration;

use super::CliError;
use super::connect::{Stream, Url, connect};

/// The largest head that is read.
const LONGEST_HEAD: u64 = 64 * 1024;
/// The largest body that is read as a whole.
const LONGEST_BODY: u64 = 8 * 1024 * 1024;
/// How long a server may be silent in an answer.
pub const READ_TIME: Duration = Duration::from_secs(10);

/// One request.
pub struct Request<'a> {
    /// GET or POST.
    pub method: &'a str,
    /// Path and query, below the path of the URL.
    pub target: &'a str,
    /// Headers beside `Host`, `Connection` and those of the body.
    pub headers: Vec<(&'a str, String)>,
    /// A JSON body.
    pub json: Option<String>,
    /// How long the server may be silent.
    pub read_time: Duration,
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub fn get(target: &'a str) -> Self {
        Request { method: "GET", target, headers: Vec::new(), json: None, read_time: READ_TIME }
    }

    /// A request with a JSON body.
    pub fn post(target: &'a str, json: String) -> Self {
        Request { method: "POST", target, headers: Vec::new(), json: Some(json), read_time: READ_TIME }
    }

    /// The same with the app's secret.
    pub fn with_secret(mut self, secret: &str) -> Self {
        self.headers.push(("Authorization", format!("Bearer {secret}")));
        self
    }

    fn head(&self, url: &Url) -> Result<String, CliError> {
        let mut head =
            format!("{} {}{} HTTP/1.1\r\nHost: {}\r\n", self.method, url.path, self.target, url.authority());
        let upgrades = self.headers.iter().any(|(name, _)| *name == "Upgrade");
        if !upgrades {
            head.push_str("Connection: close\r\n");
        }
        for (name, value) in &self.headers {
            if value.chars().any(char::is_control) {
                return Err(CliError::Usage(format!("the value for {name} holds a line break; remove it")));
            }
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(json) = &self.json {
            let _ = write!(head, "Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
        }
        head.push_str("\r\n");
        Ok(head)
    }
}

/// An answer whose body has not been read yet.
pub struct Response {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

/// Sends a request and reads the head of its answer.
pub fn send(url: &Url, request: &Request<'_>) -> Result<Response, CliError> {
    let head = request.head(url)?;
    let mut stream = connect(url, request.read_time)?;
    let body = request.json.as_deref().unwrap_or_default();
    let broken = |error: io::Error| CliError::Failed(format!("{url} gave no answer: {}", reason(&error)));
    stream.write_all(head.as_bytes()).map_err(broken)?;
    stream.write_all(body.as_bytes()).map_err(broken)?;
    stream.flush().map_err(broken)?;
    let mut reader = BufReader::new(stream);
    let (status, headers) = read_head(&mut reader).map_err(broken)?;
    let framing = framing(status, &headers).map_err(broken)?;
    Ok(Response { status, headers, body: Body { reader, framing } })
}

/// An error of the network in words.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it was silent for too long".to_owned(),
        _ => error.to_string(),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

type Head = (u16, Vec<(String, String)>);

fn read_head(reader: &mut BufReader<Stream>) -> io::Result<Head> {
    let mut bounded = reader.take(LONGEST_HEAD);
    let line = |bounded: &mut io::Take<&mut BufReader<Stream>>| -> io::Result<String> {
        let mut bytes = Vec::new();
        bounded.read_until(b'\n', &mut bytes)?;
        if bytes.pop() != Some(b'\n') {
            return Err(wrong("the head of the answer is cut short or too long"));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong("the head of the answer is no text"))?;
        Ok(text.trim_end_matches('\r').to_owned())
    };
    let first = line(&mut bounded)?;
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| wrong("it speaks no HTTP/1.1"))?;
    let mut headers = Vec::new();
    loop {
        let text = line(&mut bounded)?;
        if text.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) =
            text.split_once(':').ok_or_else(|| wrong("a header of the answer has no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn framing(status: u16, headers: &[(String, String)]) -> io::Result<Framing> {
    if matches!(status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    if find(headers, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Ok(Framing::Chunked { left: 0, first: true });
    }
    match find(headers, "content-length") {
        Some(length) => length.parse().map(Framing::Length).map_err(|_| wrong("a wrong Content-Length")),
        None => Ok(Framing::ToEnd),
    }
}

impl Response {
    /// A header, by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The whole body as text.
    pub fn text(self) -> Result<String, CliError> {
        let mut text = String::new();
        let mut bounded = self.body.take(LONGEST_BODY + 1);
        bounded
            .read_to_string(&mut text)
            .map_err(|error| CliError::Failed(format!("the answer broke off: {}", reason(&error))))?;
        if text.len() as u64 > LONGEST_BODY {
            return Err(CliError::Failed("the answer is larger than 8MiB".to_owned()));
        }
        Ok(text)
    }

    /// The body as it comes.
    pub fn stream(self) -> BufReader<Body> {
        BufReader::new(self.body)
    }

    /// The text of a good answer; of any other the reason that the server gives.
    pub fn good(self, url: &Url) -> Result<String, CliError> {
        if (200..300).contains(&self.status) {
            return self.text();
        }
        Err(self.refusal(url))
    }

    /// What a server says when it refuses.
    pub fn refusal(self, url: &Url) -> CliError {
        let status = self.status;
        if let Some(place) = self.header("location").filter(|_| (300..400).contains(&status)) {
            return CliError::Failed(format!("{url} sends on to {place}; give that as --url"));
        }
        let text = self.text().unwrap_or_default();
        let parsed: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let member = |name: &str| Some(parsed.as_ref()?.get(name)?.as_str()?.to_owned());
        let code = member("code").unwrap_or_default();
        let said = member("detail").or_else(|| member("message")).or_else(|| member("title"));
        let advice = if status == 401 { "; give the app's secret with --secret" } else { "" };
        let words: Vec<String> = [status.to_string(), code, said.unwrap_or_default()]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        CliError::Failed(format!("{url} refused: {}{advice}", words.join(": ")))
    }
}

/// The body of an answer, without its framing.
pub struct Body {
    reader: BufReader<Stream>,
    framing: Framing,
}

enum Framing {
    Length(u64),
    Chunked { left: u64, first: bool },
    ToEnd,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = match &mut self.framing {
            Framing::ToEnd => return self.reader.read(into),
            Framing::Length(left) => left,
            Framing::Chunked { left, first } => {
                if *left == 0 {
                    *left = next_chunk(&mut self.reader, *first)?;
                    *first = false;
                    if *left == 0 {
                        self.framing = Framing::Length(0);
                        return Ok(0);
                    }
                }
                left
            }
        };
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(into.len());
        let read = self.reader.read(&mut into[..most])?;
        if read == 0 && most > 0 {
            return Err(wrong("the connection ended in the middle of the answer"));
        }
        *left -= read as u64;
        Ok(read)
    }
}

/// The size of the next chunk; 0 is the last one.
fn next_chunk(reader: &mut BufReader<Stream>, first: bool) -> io::Result<u64> {
    let mut line = || -> io::Result<String> {
        let mut text = String::new();
        reader.take(256).read_line(&mut text)?;
        if text.ends_with('\n') { Ok(text) } else { Err(wrong("a chunk of the answer has no size")) }
    };
    if !first && !line()?.trim().is_empty() {
        return Err(wrong("a chunk of the answer is longer than it says"));
    }
    let size = line()?;
    let digits = size.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| wrong("a chunk of the answer has a wrong size"))
}

/// Writes a text so that it can stand in a query.
pub fn in_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
