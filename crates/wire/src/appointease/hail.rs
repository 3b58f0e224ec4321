//! Who connects, by the address that it asked for: `/`, `/?email=…&sig=…`, `/appointease/s/{sig}?email=…`.

use deskbell_core::limits::{self, Millis};

use crate::http_head::{percent_decode, query_pairs};
use crate::native::fields::shown;

/// What an address says of whoever asks for it. Nothing of it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hail {
    /// Who it says it is.
    pub email: Option<String>,
    /// The proof.
    pub sig: Option<String>,
}

/// Digits of a random label, as the plugin's server made them.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Reads an address. Names count in any order, and the first of two with one name counts.
///
/// ```
/// use deskbell_wire::appointease::hail::read;
/// let hail = read("/appointease/s/c2ln", "email=ann%40example.org");
/// assert_eq!((hail.email.as_deref(), hail.sig.as_deref()), (Some("ann@example.org"), Some("c2ln")));
/// assert_eq!(read("/", "email="), Default::default());
/// ```
pub fn read(path: &str, query: &str) -> Hail {
    let first = |wanted: &str| {
        let mut values = query_pairs(query).filter(|(name, _)| name == wanted);
        values.next().map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    let in_path = path.split_once("/appointease/s/").map(|(_, sig)| percent_decode(sig).into_owned());
    let bounded = |text: &String| text.len() <= limits::USER_ID;
    Hail {
        email: first("email").filter(bounded),
        sig: first("sig").or(in_path).filter(|sig| !sig.is_empty() && bounded(sig)),
    }
}

/// What a connection is called towards its page and in the debug panel. It is a label and no key: nobody can do
/// anything with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    client_id: String,
    anonymous: bool,
}

impl Who {
    /// A person whose address is known.
    pub fn email(email: &str) -> Self {
        Self { client_id: email.to_owned(), anonymous: false }
    }

    /// Nobody in particular, with a label that nobody else has.
    ///
    /// ```
    /// use deskbell_wire::appointease::hail::Who;
    /// let who = Who::anonymous(1_761_527_416_882, 7);
    /// assert_eq!(who.client_id(), "anonymous_1761527416882_000000007");
    /// ```
    pub fn anonymous(at: Millis, random: u64) -> Self {
        let mut rest = random;
        let mut digits = [b'0'; 9];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(rest % 36) as usize];
            rest /= 36;
        }
        let label: String = digits.iter().map(|digit| char::from(*digit)).collect();
        Self { client_id: format!("anonymous_{at}_{label}"), anonymous: true }
    }

    /// The label.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Is it nobody in particular?
    pub const fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The address as the debug panel shows it.
    pub fn shown_email(&self) -> &str {
        if self.anonymous { "Anonymous" } else { &self.client_id }
    }

    /// The same with its address masked, for everybody who has not shown the secret.
    #[must_use]
    pub fn masked(&self) -> Self {
        if self.anonymous {
            return self.clone();
        }
        Self { client_id: masked(&self.client_id), anonymous: false }
    }
}

/// An address of which a reader who knows it recognises enough, and nobody else learns it.
///
/// ```
/// use deskbell_wire::appointease::hail::masked;
/// assert_eq!(masked("ann@example.org"), "a***@e***.org");
/// assert_eq!(masked("nobody"), "n***");
/// ```
pub fn masked(email: &str) -> String {
    let first = |text: &str| shown(&text.chars().take(1).collect::<String>());
    match email.split_once('@') {
        None => format!("{}***", first(email)),
        Some((name, host)) => {
            let top =
                host.rsplit_once('.').map(|(_, top)| top).filter(|top| top.len() <= 10).unwrap_or_default();
            let dot = if top.is_empty() { "" } else { "." };
            format!("{}***@{}***{dot}{}", first(name), first(host), shown(top))
        }
    }
}
