//! `ordercast catalogue load`: writes a file of items into a project's catalogue, over the API, so that
//! it works beside a running server.

mod file;

use crate::project_api::{ProjectApi, ProjectArgs};
use anyhow::Context;
use clap::{Args, Subcommand};
use file::{Batch, File};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  ordercast catalogue load shop.json                      into the demo's project
  ordercast catalogue load --project 7 --api-key \"$KEY\" shop.json
  ordercast catalogue load --prune shop.json              and delete what the file does not have

The file has the shape of PUT /v1/projects/{project}/items:
  { \"items\": [
    { \"sku\": \"sword\", \"name\": \"Sword\", \"price\": { \"amount\": \"1.99\", \"currency\": \"USD\" } },
    { \"sku\": \"gems\", \"name\": \"Gems\", \"type\": \"virtual_currency\" },
    { \"sku\": \"potion\", \"name\": \"Potion\", \"virtual_prices\": [{ \"sku\": \"gems\", \"amount\": 100 }] },
    { \"sku\": \"badge\", \"name\": \"Badge\", \"is_free\": true }
  ] }

Items are replaced by SKU; run again, it changes nothing. A long file is written in parts, each whole
or not at all.";

#[derive(Debug, Subcommand)]
pub enum CatalogueCommand {
    /// Write the items of a file into a project's catalogue
    Load(LoadArgs),
}

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LoadArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Delete the items that the file does not have
    #[arg(long)]
    prune: bool,
    /// JSON: {"items": [...]}
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub async fn run(command: CatalogueCommand) -> anyhow::Result<()> {
    let CatalogueCommand::Load(args) = command;
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("cannot read {}", args.file.display()))?;
    let file = File::parse(&text).with_context(|| args.file.display().to_string())?;
    let shop = Shop(args.project.api()?);
    for batch in &file.batches {
        shop.put(batch).await?;
    }
    println!(
        "wrote {} items into project {}",
        file.skus.len(),
        args.project.project
    );
    if args.prune {
        let mut deleted = 0;
        for sku in shop.skus().await? {
            if !file.skus.contains(&sku) {
                shop.delete(&sku).await?;
                deleted += 1;
            }
        }
        println!("deleted {deleted} items that the file does not have");
    }
    Ok(())
}

/// The catalogue as the shop's backend reaches it.
struct Shop(ProjectApi);

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Sku>,
    next_after: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Sku {
    sku: String,
}

impl Shop {
    async fn put(&self, batch: &Batch) -> anyhow::Result<()> {
        let request = self
            .0
            .request(Method::PUT, "items")
            .json(&json!({ "items": batch.items }));
        self.0
            .send(request)
            .await
            .map(|_| ())
            .with_context(|| format!("items {} to {} were not written", batch.first, batch.last))
    }

    async fn skus(&self) -> anyhow::Result<Vec<String>> {
        let mut skus = Vec::new();
        let mut after = None;
        loop {
            let mut request = self
                .0
                .request(Method::GET, "items")
                .query(&[("limit", "1000")]);
            if let Some(after) = &after {
                request = request.query(&[("after", after)]);
            }
            let page: Page = self.0.send(request).await?.json().await?;
            skus.extend(page.items.into_iter().map(|item| item.sku));
            after = page.next_after;
            if after.is_none() {
                return Ok(skus);
            }
        }
    }

    async fn delete(&self, sku: &str) -> anyhow::Result<()> {
        // A SKU has no character that a path would have to escape.
        self.0
            .send(self.0.request(Method::DELETE, &format!("items/{sku}")))
            .await
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use confique::Layer;
    use ordercast_core::{
        ProjectId, Sku,
        money::{Currency, Money},
    };
    use ordercast_server::{Bound, Server, auth::sha256, config};
    use ordercast_store::{CatalogueItem, CredentialKind, NewProject, Settings};
    use std::time::Duration;

    const KEY: &str = "oc_api_of_the_tests";

    /// A server with one project that sells a bow.
    async fn start(folder: &tempfile::TempDir) -> (Server, String) {
        let mut flags = config::Partial::empty();
        flags.listen = Some("127.0.0.1:0".parse().expect("address"));
        flags.data_dir = Some(folder.path().to_owned());
        let config = config::Config::load(flags, None).expect("config");
        let bound = Bound::open(config).await.expect("open");
        let price = Money::parse("1", Currency::new("USD").expect("code")).expect("price");
        let bow = CatalogueItem::priced(Sku::new("bow").expect("sku"), "Bow".to_owned(), price);
        let new = NewProject {
            id: Some(ProjectId::new(7).expect("id")),
            name: "Test".to_owned(),
            settings: Settings::default(),
            credentials: vec![(
                CredentialKind::ApiKey,
                "test".to_owned(),
                sha256(KEY.as_bytes()).to_vec(),
            )],
            sources: Vec::new(),
            items: vec![bow],
        };
        assert!(bound.ensure_project(new).await.expect("made"));
        let url = format!("http://{}", bound.address);
        (bound.serve(axum::Router::new()), url)
    }

    #[tokio::test]
    async fn a_file_replaces_what_it_names_and_prunes_the_rest() {
        let folder = tempfile::tempdir().expect("folder");
        let (server, url) = start(&folder).await;
        let args = |text: &str, prune| {
            let file = folder.path().join("shop.json");
            std::fs::write(&file, text).expect("written");
            LoadArgs {
                project: ProjectArgs::of(&format!("{url}/"), 7, KEY),
                prune,
                file,
            }
        };
        let text = r#"{"items":[
            {"sku":"sword","name":"Sword","price":{"amount":"1.99","currency":"USD"}},
            {"sku":"badge","name":"Badge","is_free":true}]}"#;
        let shop = Shop(args(text, false).project.api().expect("api"));
        for (prune, expected) in [
            (false, &["badge", "bow", "sword"][..]),
            (true, &["badge", "sword"]),
        ] {
            run(CatalogueCommand::Load(args(text, prune)))
                .await
                .expect("loaded");
            assert_eq!(shop.skus().await.expect("listed"), expected);
        }
        let bad = r#"{"items":[{"sku":"a","name":"A","is_free":true},{"sku":"b","name":"B","price":{}}]}"#;
        let error = run(CatalogueCommand::Load(args(bad, true))).await;
        let error = format!("{:#}", error.expect_err("refused"));
        assert!(
            error.starts_with("items 1 to 2 were not written: "),
            "{error}"
        );
        assert_eq!(
            shop.skus().await.expect("listed"),
            ["badge", "sword"],
            "nothing was changed"
        );
        server.stop(Duration::ZERO).await;
    }
}
