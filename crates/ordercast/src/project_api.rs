//! A project's own API as commands call it, and the options that say which project.

use crate::{
    demo::start::{DATA_DIR, Keys},
    hidden::Hidden,
    tunnel::Tunnel,
};
use anyhow::{Context, bail};
use clap::Args;
use ordercast_core::ProjectId;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{HOST, HeaderMap},
};
use serde_json::Value;
use std::{path::PathBuf, time::Duration};

/// Above the 30 s for which the server holds an answer.
const TIMEOUT: Duration = Duration::from_secs(40);

#[derive(Clone, Debug, Args)]
pub struct ProjectArgs {
    /// Base of the server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The project
    #[arg(long, value_name = "ID", default_value = "1")]
    pub project: ProjectId,
    /// The project's API key; without it the demo's is looked up in --data-dir
    #[arg(
        long,
        value_name = "TEXT",
        env = "ORDERCAST_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<Hidden>,
    /// Where the demo keeps its keys
    #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Certificates to trust beside the system's, PEM, for a server with one of its own
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl ProjectArgs {
    pub fn api(&self) -> anyhow::Result<ProjectApi> {
        let api_key = match &self.api_key {
            Some(key) => key.as_str().to_owned(),
            None => {
                self.demo_keys()?
                    .with_context(|| {
                        let folder = self.data_dir.display();
                        format!("no demo keys of this project in {folder}; give --api-key")
                    })?
                    .api_key
            }
        };
        let Way { http, base } = self.way()?;
        Ok(ProjectApi {
            http,
            base,
            project: self.project,
            api_key,
        })
    }

    /// The way to the server: over a tunnel of our own where it speaks TLS.
    pub fn way(&self) -> anyhow::Result<Way> {
        let mut headers = HeaderMap::new();
        let base = if self.url.starts_with("https://") {
            let tunnel = Tunnel::open(&self.url, self.ca.as_deref())?;
            headers.insert(HOST, tunnel.host);
            tunnel.base
        } else if self.url.starts_with("http://") {
            self.url.clone()
        } else {
            bail!("--url {}: must begin with http:// or https://", self.url);
        };
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Way {
            http,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Of the demo, if the project is its.
    pub fn demo_keys(&self) -> anyhow::Result<Option<Keys>> {
        let keys = Keys::read(&self.data_dir)?;
        Ok(keys.filter(|keys| keys.project_id == self.project))
    }

    #[cfg(test)]
    pub fn of(url: &str, project: i64, api_key: &str) -> Self {
        Self {
            url: url.to_owned(),
            project: ProjectId::new(project).expect("id"),
            api_key: api_key.parse().ok(),
            data_dir: PathBuf::new(),
            ca: None,
        }
    }
}

/// How the server is reached.
pub struct Way {
    pub http: reqwest::Client,
    /// Without a slash at its end.
    pub base: String,
}

pub struct ProjectApi {
    pub http: reqwest::Client,
    /// Without a slash at its end.
    pub base: String,
    project: ProjectId,
    api_key: String,
}

impl ProjectApi {
    /// `path` below the project.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/v1/projects/{}/{path}", self.base, self.project);
        self.http.request(method, url).bearer_auth(&self.api_key)
    }

    /// Anything but a success is an error that names the option to change; a [`reqwest::Error`] is at
    /// its bottom if the server may come to itself.
    pub async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        accepted(sent(request).await?).await
    }

    /// As [`Self::send`]; `None`: there is no such thing.
    pub async fn find(&self, request: RequestBuilder) -> anyhow::Result<Option<Response>> {
        let answer = sent(request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        accepted(answer).await.map(Some)
    }
}

async fn sent(request: RequestBuilder) -> anyhow::Result<Response> {
    request
        .send()
        .await
        .context("cannot reach the server; see --url, and --ca for a certificate of its own")
}

async fn accepted(answer: Response) -> anyhow::Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let failure = answer
        .error_for_status_ref()
        .map_err(reqwest::Error::without_url)
        .err();
    let problem: Value = answer.json().await.unwrap_or_default();
    let title = problem["title"].as_str().unwrap_or("no reason given");
    match status.as_u16() {
        401 => bail!("the API key is not accepted ({status}); see --api-key and --project"),
        403 => bail!("the API key may not do this: {title}; see --api-key"),
        500.. if let Some(failure) = failure => Err(failure).context(title.to_owned()),
        _ => bail!("{title} ({status})"),
    }
}
