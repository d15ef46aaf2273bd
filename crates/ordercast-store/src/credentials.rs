//! Keys of projects and tokens of orders: what is kept of them, and how they change.

use crate::{
    Failure, Found, Project, Secret, Source, Store,
    sqlite::{credentials, order_tokens, query},
};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    access::Scopes,
    ids::{CredentialId, TokenId},
};
use std::{sync::Arc, time::Duration};

/// Live API keys of one project.
pub const API_KEYS_MAX: u32 = 100;
/// Live keys of user JWTs of one project, addresses of key sets among them: a token without a `kid`
/// may be tried with every one.
pub const JWT_KEYS_MAX: u32 = 32;
/// Live tokens of one kind of one order.
pub const ORDER_TOKENS_MAX: u32 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// Value: SHA-256 of the key.
    ApiKey,
    /// Value: the shared secret, as the bytes that key the HMAC.
    Hs256,
    /// Value: the public key, PEM or DER.
    Rs256,
    /// Value: the public key, PEM or the uncompressed point.
    Es256,
    /// Value: the public key, PEM or its 32 bytes.
    EdDsa,
    /// Value: where a key set is, a URL.
    JwksUrl,
}

impl CredentialKind {
    const ALL: [Self; 6] = [
        Self::ApiKey,
        Self::Hs256,
        Self::Rs256,
        Self::Es256,
        Self::EdDsa,
        Self::JwksUrl,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Hs256 => "hs256",
            Self::Rs256 => "rs256",
            Self::Es256 => "es256",
            Self::EdDsa => "eddsa",
            Self::JwksUrl => "jwks_url",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    #[must_use]
    pub const fn family(self) -> KeyFamily {
        match self {
            Self::ApiKey => KeyFamily::Api,
            Self::Hs256 | Self::Rs256 | Self::Es256 | Self::EdDsa | Self::JwksUrl => KeyFamily::Jwt,
        }
    }
}

/// Which list a key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFamily {
    /// What shops' backends call with.
    Api,
    /// What verifies users' JWTs.
    Jwt,
}

/// What proves that a caller is of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub project: ProjectId,
    pub kind: CredentialKind,
    /// Public: what logs and versions call it.
    pub name: String,
    /// What its owner calls it.
    pub label: String,
    /// `None`: tokens of any `kid` are tried with it.
    pub kid: Option<String>,
    /// API keys only.
    pub scopes: Option<Scopes>,
    /// Empty once it has ended.
    pub value: Secret,
    pub created_at: Timestamp,
    /// The name of the key that made it; empty for those that came with their project.
    pub created_by: String,
    /// Exact to about a minute.
    pub last_used_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct NewCredential {
    pub kind: CredentialKind,
    pub name: String,
    pub label: String,
    pub kid: Option<String>,
    pub scopes: Option<Scopes>,
    pub value: Secret,
    /// The key set that the address of a [`CredentialKind::JwksUrl`] gave.
    pub key_set: Option<String>,
}

/// A key set as an address gave it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    pub credential: CredentialId,
    pub body: String,
    pub fetched_at: Timestamp,
}

/// What a project asks of its users' JWTs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// The claim that names the user.
    pub user_claim: String,
    /// `aud` must have one of them; empty: it may have any.
    pub audiences: Vec<String>,
    /// `iss` must be one of them; empty: it may be any.
    pub issuers: Vec<String>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self {
            user_claim: "sub".to_owned(),
            audiences: Vec::new(),
            issuers: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A buyer's credential for one order.
    Payment,
    /// To look at one order.
    Link,
}

impl TokenKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Link => "link",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Payment, Self::Link]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A token of an order. The one that the order was made with is not among them: its hash is the
/// order's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderToken {
    pub id: TokenId,
    pub order_key: i64,
    pub kind: TokenKind,
    /// SHA-256 of the secret half.
    pub hash: Vec<u8>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// From now on.
    After(Duration),
    /// After the end of the order's life, or from now on where that is over.
    AfterOrder(Duration),
}

/// A change of keys or tokens; none of them changes an order's status.
#[derive(Clone, Debug)]
pub enum CredentialChange {
    /// All of them or none.
    AddKeys {
        project: ProjectId,
        keys: Vec<NewCredential>,
        by: String,
    },
    /// From the commit on the key is refused; its secret is erased.
    EndKey {
        project: ProjectId,
        id: CredentialId,
        family: KeyFamily,
    },
    SetTokenRules {
        project: ProjectId,
        rules: TokenRules,
    },
    /// What addresses gave. Does nothing to those that have ended.
    KeepKeySets(Vec<KeySet>),
    /// When keys were used last.
    KeysUsed(Vec<(CredentialId, Timestamp)>),
    IssueToken {
        project: ProjectId,
        order: OrderId,
        kind: TokenKind,
        hash: [u8; 32],
        end: TokenEnd,
        by: String,
    },
    /// `id` `None`: the payment token that the order was made with.
    EndToken {
        project: ProjectId,
        order: OrderId,
        kind: TokenKind,
        id: Option<TokenId>,
    },
}

impl CredentialChange {
    /// Whose it is; `None`: what the server has learned by itself.
    pub(crate) const fn project(&self) -> Option<ProjectId> {
        match self {
            Self::AddKeys { project, .. }
            | Self::EndKey { project, .. }
            | Self::SetTokenRules { project, .. }
            | Self::IssueToken { project, .. }
            | Self::EndToken { project, .. } => Some(*project),
            Self::KeepKeySets(_) | Self::KeysUsed(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialOutcome {
    Keys(Vec<Credential>),
    Token(OrderToken),
    Done,
    /// There are as many as there may be.
    TooMany {
        limit: u32,
    },
}

/// A project with all that proves who is of it.
#[derive(Clone, Debug)]
pub struct ProjectSecrets {
    pub project: Project,
    /// Live ones.
    pub credentials: Vec<Credential>,
    pub sources: Vec<Source>,
    pub rules: Option<TokenRules>,
    pub key_sets: Vec<KeySet>,
}

impl ProjectSecrets {
    /// Without any yet.
    #[must_use]
    pub const fn of(project: Project) -> Self {
        Self {
            project,
            credentials: Vec::new(),
            sources: Vec::new(),
            rules: None,
            key_sets: Vec::new(),
        }
    }
}

impl Store {
    /// `None`: there is no such project.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn project_secrets(
        &self,
        project: ProjectId,
    ) -> Result<Option<ProjectSecrets>, Failure> {
        let secrets = self.secrets();
        self.read_short(project, move |connection| {
            query::project_secrets(connection, &secrets, project)
        })
        .await
    }

    /// Keys of a project, live ones first, then newest first; ended ones among the newest 200 only.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn credentials(
        &self,
        project: ProjectId,
        family: KeyFamily,
    ) -> Result<Vec<Credential>, Failure> {
        let secrets = self.secrets();
        self.read_list(project, move |connection| {
            credentials::of_project(connection, &secrets, project, family)
        })
        .await
    }

    /// Of all projects: the rules for tokens, and the key sets that addresses gave.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn token_rules(
        &self,
    ) -> Result<(Vec<(ProjectId, TokenRules)>, Vec<KeySet>), Failure> {
        self.read_work(|connection| {
            Ok((
                credentials::rules(connection)?,
                credentials::key_sets(connection)?,
            ))
        })
        .await
    }

    /// A token with its order.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn order_token(
        &self,
        id: TokenId,
    ) -> Result<Option<(OrderToken, Arc<Found>)>, Failure> {
        self.read_key(move |connection| order_tokens::get(connection, id))
            .await
    }

    /// Tokens of an order, newest first.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn order_tokens(
        &self,
        order_key: i64,
        kind: TokenKind,
    ) -> Result<Vec<OrderToken>, Failure> {
        self.read_key(move |connection| order_tokens::of_order(connection, order_key, kind))
            .await
    }
}
