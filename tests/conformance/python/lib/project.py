"""A project and its buyers, through the HTTP API as a shop's backend uses it."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

from lib.server import ROOT_KEY, Server

PRICE = {"amount": "1.99", "currency": "USD"}
SWORD = {"sku": "sword", "name": "Sword", "price": PRICE}


def now() -> int:
    return int(time.time())


@dataclass
class Project:
    server: Server
    id: int
    api_key: str
    jwt_secret: str

    @classmethod
    async def create(cls, server: Server) -> "Project":
        body = {"name": "Conformance", "items": [SWORD]}
        made = await server.request("POST", "/v1/projects", ROOT_KEY, body)
        assert made.status_code == 201, made.text
        answer = made.json()
        secret = answer["jwt"]["hs256_secret"]
        return cls(server, answer["project_id"], answer["api_key"], secret)

    def buyer(self, user: str | None = None) -> "Buyer":
        """A buyer whom nobody else in the run is: its channel holds only what its test does."""
        return Buyer(self, user or str(uuid.uuid4()))


@dataclass
class Buyer:
    project: Project
    user: str

    def claims(self, **changes: Any) -> dict:
        """Valid for ten minutes unless `changes` say otherwise; `None` leaves a claim out."""
        claims = {"sub": self.user, "exp": now() + 600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, **changes: Any) -> str:
        return jwt.encode(self.claims(**changes), self.project.jwt_secret, algorithm="HS256")

    def connect_data(self, **changes: Any) -> dict:
        data = {"user_external_id": self.user, "auth": self.token(), "project_id": self.project.id}
        return data | changes

    async def order(self) -> int:
        """A new order, made by the shop; its number."""
        body = {"user_external_id": self.user, "price": PRICE}
        return (await self._shop("/orders", body, 201))["order_id"]

    async def moves(self, order: int, *statuses: str) -> None:
        """The shop tells the order's next statuses; each is on disk when its answer comes."""
        for status in statuses:
            await self._shop(f"/orders/{order}/transitions", {"to": status}, 200)

    async def buy(self) -> tuple[int, str]:
        """A new order, made by the buyer's client; its number and its payment token."""
        project = self.project
        path = f"/api/v2/project/{project.id}/payment/item/{SWORD['sku']}"
        made = await project.server.request("POST", path, self.token(), {})
        assert made.status_code == 200, made.text
        return made.json()["order_id"], made.json()["token"]

    async def _shop(self, rest: str, body: dict, expected: int) -> dict:
        project = self.project
        path = f"/v1/projects/{project.id}{rest}"
        answer = await project.server.request("POST", path, project.api_key, body)
        assert answer.status_code == expected, answer.text
        return answer.json()
