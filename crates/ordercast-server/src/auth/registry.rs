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
    shared_map::SharedMap,
};
use ordercast_core::{
    ProjectId,
    access::Scopes,
    ids::{CredentialId, SourceId},
};
use ordercast_store::{
    Credential, CredentialKind, Failure, KeySet, Project, ProjectSecrets, Source, Store, TokenRules,
};
use std::{collections::HashMap, sync::Arc};

#[derive(Clone, Debug, Default)]
pub struct Registry {
    projects: SharedMap<ProjectId, Arc<ProjectKeys>>,
    api_keys: SharedMap<[u8; 32], Arc<ApiKey>>,
    sources: SharedMap<SourceId, Arc<Source>>,
    jwks: SharedMap<CredentialId, Arc<JwksSource>>,
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
    /// By what the project's API keys and sources are found: they go when it is read again.
    api_key_hashes: Vec<[u8; 32]>,
    sources: Vec<SourceId>,
}

impl Registry {
    pub fn projects(&self) -> impl Iterator<Item = &Project> {
        self.projects.values().map(|keys| &keys.project)
    }

    /// All projects, at the start.
    pub(super) async fn load(store: &Store, reach: Reach) -> Result<Self, Failure> {
        let (projects, credentials, sources) = store.projects().await?;
        let (rules, key_sets) = store.token_rules().await?;
        let mut all: HashMap<ProjectId, ProjectSecrets> = projects
            .into_iter()
            .map(|project| (project.id, ProjectSecrets::of(project)))
            .collect();
        let mut project_of = HashMap::new();
        for credential in credentials {
            if let Some(of) = all.get_mut(&credential.project) {
                project_of.insert(credential.id, credential.project);
                of.credentials.push(credential);
            }
        }
        for source in sources {
            if let Some(of) = all.get_mut(&source.project) {
                of.sources.push(source);
            }
        }
        for (project, rules) in rules {
            if let Some(of) = all.get_mut(&project) {
                of.rules = Some(rules);
            }
        }
        for set in key_sets {
            let project = project_of.get(&set.credential);
            if let Some(of) = project.and_then(|project| all.get_mut(project)) {
                of.key_sets.push(set);
            }
        }
        let mut registry = Self::default();
        for secrets in all.into_values() {
            registry.put(secrets, reach);
        }
        Ok(registry)
    }

    /// With one project as it is now; all others are shared.
    pub(super) async fn with_project(
        &self,
        store: &Store,
        project: ProjectId,
        reach: Reach,
    ) -> Result<Self, Failure> {
        let secrets = store.project_secrets(project).await?;
        let mut changed = self.clone();
        match secrets {
            Some(secrets) => changed.put(secrets, reach),
            None => changed.remove(project, &[]),
        }
        Ok(changed)
    }

    /// Takes a project's keys out, but for the key sets of these credentials.
    fn remove(&mut self, project: ProjectId, kept: &[CredentialId]) {
        let Some(known) = self.projects.remove(&project) else {
            return;
        };
        for hash in &known.api_key_hashes {
            self.api_keys.remove(hash);
        }
        for source in &known.sources {
            self.sources.remove(source);
        }
        for source in &known.jwks {
            if !kept.contains(&source.id) {
                self.jwks.remove(&source.id);
            }
        }
    }

    /// Key sets that are known are taken over with the keys that they hold.
    fn put(&mut self, secrets: ProjectSecrets, reach: Reach) {
        let ProjectSecrets {
            project,
            credentials,
            sources,
            rules,
            key_sets,
        } = secrets;
        let live: Vec<_> = credentials.iter().map(|credential| credential.id).collect();
        self.remove(project.id, &live);
        let mut keys = ProjectKeys {
            rules: rules.unwrap_or_default(),
            keys: Vec::new(),
            jwks: Vec::new(),
            fingerprint: [0; 32],
            api_key_hashes: Vec::new(),
            sources: sources.iter().map(|source| source.id.clone()).collect(),
            project,
        };
        for credential in &credentials {
            self.add(&mut keys, credential, &key_sets, reach);
        }
        keys.fingerprint = fingerprint(&keys);
        for source in sources {
            self.sources.insert(source.id.clone(), Arc::new(source));
        }
        self.projects.insert(keys.project.id, Arc::new(keys));
    }

    fn add(
        &mut self,
        keys: &mut ProjectKeys,
        credential: &Credential,
        key_sets: &[KeySet],
        reach: Reach,
    ) {
        let unusable = |why: &dyn std::fmt::Display| {
            tracing::error!(id = %credential.id, project = %credential.project, %why, "a key cannot be used");
        };
        let value = credential.value.expose();
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
                keys.api_key_hashes.push(hash);
                self.api_keys.insert(hash, Arc::new(key));
                return;
            }
            CredentialKind::JwksUrl => {
                let source = match self.jwks.get(&credential.id) {
                    Some(source) => Arc::clone(source),
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
                            key_sets.iter().find(|set| set.credential == credential.id),
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
        self.projects.get(&id).map(AsRef::as_ref)
    }

    #[must_use]
    pub fn source(&self, id: &SourceId) -> Option<&Source> {
        self.sources.get(id).map(AsRef::as_ref)
    }

    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values().map(AsRef::as_ref)
    }

    #[must_use]
    pub fn jwks(&self, id: CredentialId) -> Option<&JwksSource> {
        self.jwks.get(&id).map(AsRef::as_ref)
    }

    pub(super) fn jwks_sources(&self) -> impl Iterator<Item = &Arc<JwksSource>> {
        self.jwks.values()
    }

    pub(super) fn api_key(&self, hash: &[u8; 32]) -> Option<&ApiKey> {
        self.api_keys.get(hash).map(AsRef::as_ref)
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
