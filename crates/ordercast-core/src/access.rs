//! Who may do what: the one place that says yes.

mod scope;

pub use scope::{Scope, Scopes, UnknownScope};

use crate::ids::{OrderId, ProjectId, UserId};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Ids that begin so are guests': buyers without an account, who show a secret of their own making. No user
/// JWT may carry one, or a guest could take on a user's id, or a user a guest's.
pub const GUEST_PREFIX: &str = "guest:";

/// Bytes of the hash that names a guest.
const GUEST_HASH_BYTES: usize = 20;

/// Names the guest who has this secret. What a guest's client sends proves that it is the guest, so it is
/// kept to itself: others see its hash, and who has that has nothing.
///
/// # Panics
/// Never: the name is short and visible.
#[must_use]
pub fn guest_id(project: ProjectId, secret: &str) -> UserId {
    let hash = Sha256::digest(format!("ordercast guest\n{project}\n{secret}"));
    let hash = HEXLOWER.encode(&hash[..GUEST_HASH_BYTES]);
    match UserId::new(&format!("{GUEST_PREFIX}{hash}")) {
        Ok(user) => user,
        Err(error) => unreachable!("a guest's id: {error}"),
    }
}

/// A caller whose credential was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Holds a user JWT.
    User { project: ProjectId, user: UserId },
    /// A buyer without an account; the id begins with [`GUEST_PREFIX`]. Buys, and reads what it
    /// bought. It does not track: its id has no end and cannot be revoked, a payment token can.
    Guest { project: ProjectId, user: UserId },
    /// Holds a payment token of one order: reads that order, and tracks its user's channel because
    /// an SDK in the field opens its one connection with it (realtime contract, C2).
    PaymentToken {
        project: ProjectId,
        user: UserId,
        order: OrderId,
    },
    /// Holds a link to one order, made to be passed on: reads that order and nothing else of its
    /// user.
    Link {
        project: ProjectId,
        user: UserId,
        order: OrderId,
    },
    /// The shop's backend, with what its API key may do.
    Project { project: ProjectId, scopes: Scopes },
    /// The operator of the server.
    Root,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    CreateProject,
    /// A project's settings, or which projects there are.
    ReadProject,
    ChangeProject,
    WriteCatalogue,
    /// By the shop's backend, at a price that it states.
    CreateOrder,
    /// By a buyer, at the catalogue's price.
    BuyItem,
    ReadOrder,
    ChangeOrder,
    ReadEvents,
    /// Follow a user's channel in realtime.
    Track,
    /// Payment tokens and links of an order: make, list, revoke.
    IssueTokens,
    /// Users' balances in virtual currencies: to fill one is as good as to mark orders paid.
    WriteBalances,
    /// Take events: nothing more is sent of them, and paid orders may become done.
    AcknowledgeEvents,
    /// Endpoints of webhooks, and deliveries to them.
    ManageWebhooks,
    /// API keys, keys of user JWTs and the rules for them: make, list, revoke.
    ManageKeys,
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    Server,
    Project(ProjectId),
    User(ProjectId, &'a UserId),
    Order(ProjectId, &'a UserId, OrderId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Answer as if the object did not exist.
    Hidden,
    /// The object is the caller's own, the action is not for this role.
    Forbidden,
    /// The action is for this role, but the API key was made without this scope.
    MissingScope(Scope),
}

/// # Errors
/// [`Denied::Hidden`] for anything of another project or user, [`Denied::Forbidden`] for an action
/// that the role does not have, [`Denied::MissingScope`] for one that its key does not have.
pub fn authorize(principal: &Principal, action: Action, object: Object) -> Result<(), Denied> {
    if !can_see(principal, object) {
        return Err(Denied::Hidden);
    }
    // An action on an object that is wider than the role is refused: a buyer reads an order, never a
    // project's orders.
    let allowed = match principal {
        Principal::Root => true,
        Principal::Project { scopes, .. } => match (scope_for(action), object) {
            (_, Object::Server) | (None, _) => false,
            (Some(scope), _) if !scopes.contain(scope) => return Err(Denied::MissingScope(scope)),
            (Some(_), _) => true,
        },
        Principal::User { .. } => matches!(
            (action, object),
            (Action::BuyItem, Object::Project(_) | Object::User(..))
                | (Action::ReadOrder, Object::User(..) | Object::Order(..))
                | (Action::Track, Object::User(..))
        ),
        Principal::Guest { .. } => matches!(
            (action, object),
            (Action::BuyItem, Object::Project(_) | Object::User(..))
                | (Action::ReadOrder, Object::User(..) | Object::Order(..))
        ),
        Principal::PaymentToken { .. } => matches!(
            (action, object),
            (Action::ReadOrder, Object::Order(..)) | (Action::Track, Object::User(..))
        ),
        Principal::Link { .. } => {
            matches!((action, object), (Action::ReadOrder, Object::Order(..)))
        }
    };
    if allowed {
        Ok(())
    } else {
        Err(Denied::Forbidden)
    }
}

/// Whether a caller may hand out `wanted`: nobody gives more than they have, so that a key that was
/// made narrow cannot make itself a wide one.
///
/// # Errors
/// [`Denied::MissingScope`] with a scope that the caller lacks; [`Denied::Forbidden`] when the caller
/// lacks what later versions add.
pub fn authorize_grant(principal: &Principal, wanted: Scopes) -> Result<(), Denied> {
    match principal {
        Principal::Root => Ok(()),
        Principal::Project { scopes, .. } => {
            let lacking = Scope::ALL
                .into_iter()
                .find(|scope| wanted.contain(*scope) && !scopes.contain(*scope));
            match lacking {
                Some(scope) => Err(Denied::MissingScope(scope)),
                None if wanted == Scopes::All && *scopes != Scopes::All => Err(Denied::Forbidden),
                None => Ok(()),
            }
        }
        Principal::User { .. }
        | Principal::Guest { .. }
        | Principal::PaymentToken { .. }
        | Principal::Link { .. } => Err(Denied::Forbidden),
    }
}

/// The scope with which a shop's backend may do it; `None`: not for backends.
const fn scope_for(action: Action) -> Option<Scope> {
    match action {
        Action::ReadOrder | Action::ReadProject => Some(Scope::OrdersRead),
        Action::CreateOrder
        | Action::ChangeOrder
        | Action::WriteBalances
        | Action::AcknowledgeEvents => Some(Scope::OrdersWrite),
        Action::ManageWebhooks => Some(Scope::WebhooksWrite),
        Action::IssueTokens => Some(Scope::TokensWrite),
        Action::WriteCatalogue => Some(Scope::CatalogueWrite),
        Action::ReadEvents => Some(Scope::EventsRead),
        Action::ManageKeys | Action::ChangeProject => Some(Scope::KeysWrite),
        Action::CreateProject | Action::BuyItem | Action::Track => None,
    }
}

fn can_see(principal: &Principal, object: Object) -> bool {
    let (project, user, order) = match principal {
        Principal::Root => return true,
        Principal::Project { project, .. } => (*project, None, None),
        Principal::User { project, user } | Principal::Guest { project, user } => {
            (*project, Some(user), None)
        }
        Principal::PaymentToken {
            project,
            user,
            order,
        }
        | Principal::Link {
            project,
            user,
            order,
        } => (*project, Some(user), Some(*order)),
    };
    match object {
        // That there is a server is no secret.
        Object::Server => true,
        Object::Project(of) => project == of,
        Object::User(of, whom) => {
            project == of
                && user.is_none_or(|user| user == whom)
                // A link is of an order, and does not show whose other orders there are.
                && !matches!(principal, Principal::Link { .. })
        }
        Object::Order(of, whom, which) => {
            project == of
                && user.is_none_or(|user| user == whom)
                && order.is_none_or(|order| order == which)
        }
    }
}
