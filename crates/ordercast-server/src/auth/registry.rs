//! The projects' keys in memory: every request needs them, they change seldom.
//!
//! Bound: projects are created by the operator only.

use super::jwt::VerifyingKey;
use ordercast_core::{ProjectId, ids::SourceId};
use ordercast_store::{CredentialKind, Failure, Project, Source, Store};
use std::collections::HashMap;

#[derive(Debug)]
pub struct Registry {
    projects: HashMap<ProjectId, ProjectKeys>,
    api_keys: HashMap<[u8; 32], (ProjectId, String)>,
    sources: HashMap<SourceId, Source>,
}

#[derive(Debug)]
pub struct ProjectKeys {
    pub project: Project,
    pub(super) keys: Vec<VerifyingKey>,
}

impl Registry {
    pub(super) async fn load(store: &Store) -> Result<Self, Failure> {
        let (projects, credentials, sources) = store.projects().await?;
        let mut projects: HashMap<_, _> = projects
            .into_iter()
            .map(|project| {
                (
                    project.id,
                    ProjectKeys {
                        project,
                        keys: Vec::new(),
                    },
                )
            })
            .collect();
        let mut api_keys = HashMap::new();
        for credential in credentials {
            match credential.kind {
                CredentialKind::ApiKey => {
                    if let Ok(hash) = <[u8; 32]>::try_from(credential.value.as_slice()) {
                        api_keys.insert(hash, (credential.project, credential.name));
                    }
                }
                CredentialKind::Hs256 | CredentialKind::Rs256 => {
                    let key = match VerifyingKey::new(&credential) {
                        Ok(key) => key,
                        Err(error) => {
                            tracing::error!(%error, ?credential, "a JWT key cannot be used");
                            continue;
                        }
                    };
                    if let Some(project) = projects.get_mut(&credential.project) {
                        project.keys.push(key);
                    }
                }
            }
        }
        let sources = sources
            .into_iter()
            .map(|source| (source.id.clone(), source))
            .collect();
        Ok(Self {
            projects,
            api_keys,
            sources,
        })
    }

    #[must_use]
    pub fn project(&self, id: ProjectId) -> Option<&ProjectKeys> {
        self.projects.get(&id)
    }

    #[must_use]
    pub fn source(&self, id: &SourceId) -> Option<&Source> {
        self.sources.get(id)
    }

    pub(super) fn api_key(&self, hash: &[u8; 32]) -> Option<(ProjectId, String)> {
        self.api_keys.get(hash).cloned()
    }
}
