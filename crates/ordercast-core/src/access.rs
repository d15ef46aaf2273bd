//! Who may do what: the one place that says yes.

use crate::ids::{OrderId, ProjectId, UserId};

/// Ids that begin so are guests': buyers without an account, who name themselves in a header. Nobody
/// proves such an id, so no user JWT may carry one, or a guest could take on a user's id, or a user a
/// guest's.
pub const GUEST_PREFIX: &str = "guest:";

/// A caller whose credential was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Holds a user JWT.
    User { project: ProjectId, user: UserId },
    /// A buyer without an account; the id begins with [`GUEST_PREFIX`]. Buys, and reads what it
    /// bought. It does not track: its id has no end and cannot be revoked, a payment token can.
    Guest { project: ProjectId, user: UserId },
    /// Holds the payment token of one order: reads that order, and tracks its user's channel because
    /// an SDK in the field opens its one connection with it (realtime contract, C2).
    PaymentToken {
        project: ProjectId,
        user: UserId,
        order: OrderId,
    },
    /// The shop's backend.
    Project { project: ProjectId },
    /// The operator of the server.
    Root,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    CreateProject,
    WriteCatalogue,
    /// By the shop's backend, at a price that it states.
    CreateOrder,
    /// By a buyer, at the catalogue's price.
    BuyItem,
    ReadOrder,
    ChangeOrder,
    ReadEvents,
    Track,
    /// Users' balances in virtual currencies: to fill one is as good as to mark orders paid.
    WriteBalances,
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
}

/// # Errors
/// [`Denied::Hidden`] for anything of another project or user, [`Denied::Forbidden`] for an action
/// that the role does not have.
pub fn authorize(principal: &Principal, action: Action, object: Object) -> Result<(), Denied> {
    if !can_see(principal, object) {
        return Err(Denied::Hidden);
    }
    let allowed = match principal {
        Principal::Root => true,
        Principal::Project { .. } => match action {
            Action::WriteCatalogue
            | Action::CreateOrder
            | Action::ReadOrder
            | Action::ChangeOrder
            | Action::ReadEvents
            | Action::WriteBalances => true,
            Action::CreateProject | Action::BuyItem | Action::Track => false,
        },
        Principal::User { .. } => match action {
            Action::BuyItem | Action::ReadOrder | Action::Track => true,
            Action::CreateProject
            | Action::WriteCatalogue
            | Action::CreateOrder
            | Action::ChangeOrder
            | Action::ReadEvents
            | Action::WriteBalances => false,
        },
        Principal::Guest { .. } => match action {
            Action::BuyItem | Action::ReadOrder => true,
            Action::CreateProject
            | Action::WriteCatalogue
            | Action::CreateOrder
            | Action::ChangeOrder
            | Action::ReadEvents
            | Action::Track
            | Action::WriteBalances => false,
        },
        Principal::PaymentToken { .. } => match action {
            Action::ReadOrder | Action::Track => true,
            Action::CreateProject
            | Action::WriteCatalogue
            | Action::CreateOrder
            | Action::BuyItem
            | Action::ChangeOrder
            | Action::ReadEvents
            | Action::WriteBalances => false,
        },
    };
    if allowed {
        Ok(())
    } else {
        Err(Denied::Forbidden)
    }
}

fn can_see(principal: &Principal, object: Object) -> bool {
    match (principal, object) {
        (Principal::Root, _) => true,
        (_, Object::Server) => true,
        (
            Principal::Project { project }
            | Principal::User { project, .. }
            | Principal::Guest { project, .. }
            | Principal::PaymentToken { project, .. },
            Object::Project(of),
        ) => *project == of,
        (Principal::Project { project }, Object::User(of, _) | Object::Order(of, _, _)) => {
            *project == of
        }
        (
            Principal::User { project, user } | Principal::Guest { project, user },
            Object::User(of, whom) | Object::Order(of, whom, _),
        ) => *project == of && user == whom,
        (Principal::PaymentToken { project, user, .. }, Object::User(of, whom)) => {
            *project == of && user == whom
        }
        (
            Principal::PaymentToken {
                project,
                user,
                order,
            },
            Object::Order(of, whom, which),
        ) => *project == of && user == whom && *order == which,
    }
}
