//! One bounded GET of a key set, over http or https.

use std::fmt;

use bytes::Bytes;
use deskbell_core::limits;
use http::{Method, StatusCode, header};
use http_body_util::Full;

use super::settings::BadSettings;
use crate::outbound::{Address, BadAddress};

/// An address from which a key set is fetched, and whom to trust there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    address: Address,
    extra_roots: Option<Vec<u8>>,
}

impl Endpoint {
    /// Reads an address. `extra_roots` is a PEM text with authorities to trust besides the system's.
    pub fn new(url: &str, extra_roots: Option<&[u8]>) -> Result<Self, BadSettings> {
        let address = Address::new(url, extra_roots).map_err(|bad| match bad {
            BadAddress::NoUrl => {
                BadSettings::new("the address of the key set is no http or https URL with a host")
            }
            BadAddress::Password => {
                BadSettings::new("the address of the key set carries a password; key sets are public")
            }
            BadAddress::NoTls(why) => BadSettings(why),
        })?;
        Ok(Self { address, extra_roots: extra_roots.map(<[u8]>::to_vec) })
    }

    /// Host and port, for logs: a query may hold what does not belong there.
    pub fn name(&self) -> String {
        self.address.name()
    }

    /// Fetches the key set. The caller bounds the time.
    pub async fn fetch(&self) -> Result<Bytes, NotFetched> {
        let request = self.address.request(Method::GET);
        let request = request
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .body(Full::new(Bytes::new()))
            .map_err(|error| NotFetched(error.to_string()))?;
        let answer = self.address.whole(request, limits::KEY_SET).await;
        let (head, body) = answer.map_err(|error| NotFetched(error.to_string()))?;
        if head.status != StatusCode::OK {
            return Err(NotFetched(format!("the answer was {}, not 200", head.status)));
        }
        Ok(body)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.address.uri() == other.address.uri() && self.extra_roots == other.extra_roots
    }
}

/// Why a key set did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFetched(pub String);

impl fmt::Display for NotFetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotFetched {}
