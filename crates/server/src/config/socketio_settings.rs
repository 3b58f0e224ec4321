//! The part of the settings that is about the Socket.IO dialect.

use super::error::Secret;

/// The Socket.IO dialect, for all apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIoSettings {
    /// Clients are served.
    pub enabled: bool,
    /// Where they connect.
    pub paths: Vec<String>,
    /// The namespaces that there are.
    pub namespaces: Vec<String>,
    /// Those whose rooms are channels of the same name.
    pub plain_namespaces: Vec<String>,
    /// Whether clients may come back as who they were; `None`: those that can.
    pub recovery: Option<bool>,
    /// Time until a sign of life is asked for.
    pub ping_interval_ms: u64,
    /// Time for the answer.
    pub ping_timeout_ms: u64,
    /// Time for the change to a WebSocket.
    pub upgrade_timeout_ms: u64,
    /// Bytes of a message or a body.
    pub max_payload: usize,
    /// A further secret of tokens.
    pub jwt_secret: Option<Secret>,
    /// Claims with the user's id.
    pub user_claims: Vec<String>,
    /// Claims with the roles.
    pub role_claims: Vec<String>,
    /// A cookie with the token.
    pub token_cookie: Option<String>,
    /// Where the site's backend is asked for channels.
    pub auth_endpoint: Option<String>,
    /// Time for its answer.
    pub auth_timeout_ms: u64,
    /// A cookie that names the session.
    pub sticky_cookie: Option<String>,
}
