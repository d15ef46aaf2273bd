//! The projects' keys in memory: every request needs them, they change seldom.
//!
//! Bound: projects are created by the operator only, and the keys of one are bounded by the store.

use super::{
    jwks::{
        Source as JwksSource,
        address::{Address, Reach},
    },
    key::{Algorithm, VerifyingKey},
    sha256,
};
use ordercast_core::{
    ProjectId,
    access::Scopes,
    ids::{CredentialId, SourceId},
};
use ordercast_store::{
    Credential, CredentialKind, Failure, KeySet, Project, Source, Store, TokenRules,
};
use std::{collections::HashMap, sync::Arc};

#[derive(Debug, Default)]
pub struct Registry {
    projects: HashMap<ProjectId, ProjectKeys>,
    api_keys: HashMap<[u8; 32], ApiKey>,
    sources: HashMap<SourceId, Source>,
    jwks: HashMap<CredentialId, Arc<JwksSource>>,
}

#[derive(Clone, Debug)]
pub(super) struct ApiKey {
    pub id: CredentialId,
    pub project: ProjectId,
    pub name: String,
    pub scopes: Scopes,
}

#[derive(Debug)]
pub struct ProjectKeys {
    pub project: Project,
    pub rules: TokenRules,
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) jwks: Vec<Arc<JwksSource>>,
    /// Over keys and rules: what was judged by others has another one.
    pub(super) fingerprint: [u8; 32],
}

impl Registry {
    pub fn projects(&self) -> impl Iterator<Item = &Project> {
        self.projects.values().map(|keys| &keys.project)
    }

    /// Sources that `known` has are taken over with the keys that they hold.
    pub(super) async fn load(store: &Store, known: &Self, reach: Reach) -> Result<Self, Failure> {
        let (projects, credentials, sources) = store.projects().await?;
        let (rules, key_sets) = store.token_rules().await?;
        let mut rules: HashMap<_, _> = rules.into_iter().collect();
        let key_sets: HashMap<_, _> = key_sets.iter().map(|set| (set.credential, set)).collect();
        let mut registry = Self::default();
        for project in projects {
            let keys = ProjectKeys {
                rules: rules.remove(&project.id).unwrap_or_default(),
                keys: Vec::new(),
                jwks: Vec::new(),
                fingerprint: [0; 32],
                project,
            };
            registry.projects.insert(keys.project.id, keys);
        }
        for credential in &credentials {
            registry.add(credential, known, &key_sets, reach);
        }
        for keys in registry.projects.values_mut() {
            keys.fingerprint = fingerprint(keys);
        }
        registry.sources = sources
            .into_iter()
            .map(|source| (source.id.clone(), source))
            .collect();
        Ok(registry)
    }

    fn add(
        &mut self,
        credential: &Credential,
        known: &Self,
        key_sets: &HashMap<CredentialId, &KeySet>,
        reach: Reach,
    ) {
        let unusable = |why: &dyn std::fmt::Display| {
            tracing::error!(id = %credential.id, project = %credential.project, %why, "a key cannot be used");
        };
        let value = credential.value.expose();
        let Some(keys) = self.projects.get_mut(&credential.project) else {
            return;
        };
        let algorithm = match credential.kind {
            CredentialKind::ApiKey => {
                let (Ok(hash), Some(scopes)) = (<[u8; 32]>::try_from(value), credential.scopes)
                else {
                    return unusable(&"it is not a hash");
                };
                let key = ApiKey {
                    id: credential.id,
                    project: credential.project,
                    name: credential.name.clone(),
                    scopes,
                };
                self.api_keys.insert(hash, key);
                return;
            }
            CredentialKind::JwksUrl => {
                let known = known.jwks.get(&credential.id).map(Arc::clone);
                let source = match known {
                    Some(source) => source,
                    None => {
                        let url = String::from_utf8_lossy(value);
                        let address = match Address::parse(&url, reach) {
                            Ok(address) => address,
                            Err(error) => return unusable(&error),
                        };
                        Arc::new(JwksSource::new(
                            credential.id,
                            credential.project,
                            address,
                            reach,
                            key_sets.get(&credential.id).copied(),
                        ))
                    }
                };
                self.jwks.insert(credential.id, Arc::clone(&source));
                keys.jwks.push(source);
                return;
            }
            CredentialKind::Hs256 => Algorithm::Hs256,
            CredentialKind::Rs256 => Algorithm::Rs256,
            CredentialKind::Es256 => Algorithm::Es256,
            CredentialKind::EdDsa => Algorithm::EdDsa,
        };
        match VerifyingKey::new(algorithm, credential.kid.clone(), value) {
            Ok(key) => keys.keys.push(key),
            Err(error) => unusable(&error),
        }
    }

    #[must_use]
    pub fn project(&self, id: ProjectId) -> Option<&ProjectKeys> {
        self.projects.get(&id)
    }

    #[must_use]
    pub fn source(&self, id: &SourceId) -> Option<&Source> {
        self.sources.get(id)
    }

    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    #[must_use]
    pub fn jwks(&self, id: CredentialId) -> Option<&JwksSource> {
        self.jwks.get(&id).map(AsRef::as_ref)
    }

    pub(super) fn jwks_sources(&self) -> impl Iterator<Item = &Arc<JwksSource>> {
        self.jwks.values()
    }

    pub(super) fn api_key(&self, hash: &[u8; 32]) -> Option<&ApiKey> {
        self.api_keys.get(hash)
    }

    /// Projects that accept tokens made for anybody else, too.
    pub(super) fn unbound_projects(&self) -> impl Iterator<Item = ProjectId> {
        self.projects
            .values()
            .filter(|keys| keys.rules.audiences.is_empty() && keys.rules.issuers.is_empty())
            .filter(|keys| !keys.keys.is_empty() || !keys.jwks.is_empty())
            .map(|keys| keys.project.id)
    }
}

fn fingerprint(keys: &ProjectKeys) -> [u8; 32] {
    let mut all: Vec<_> = keys.keys.iter().map(|key| key.fingerprint).collect();
    all.sort_unstable();
    let mut bytes = all.concat();
    bytes.extend_from_slice(format!("{} {:?}", keys.project.id, keys.rules).as_bytes());
    sha256(&bytes)
}
