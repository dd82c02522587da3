"""Agents whose cards are exactly at a limit of the host, or one beyond."""

from __future__ import annotations

import json

from tests.support import raw_agent
from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, Json


class Sized(OneTaskAgent):
    """Has something of `amount` bytes, characters or pieces in its responses."""

    def __init__(self, amount: int) -> None:
        super().__init__()
        self.amount = amount

    def build_card(self, exchange: Exchange) -> Json:
        return raw_agent.card(exchange.name, exchange.url)

    async def card(self, exchange: Exchange) -> None:
        await exchange.answer(json.dumps(self.build_card(exchange)).encode())


class LargeCard(Sized):
    async def card(self, exchange: Exchange) -> None:
        body = json.dumps(self.build_card(exchange)).encode()
        await exchange.answer(body.ljust(self.amount))


class LongHeadLine(Sized):
    async def card(self, exchange: Exchange) -> None:
        body = json.dumps(self.build_card(exchange)).encode()
        value = "x" * self.amount
        await exchange.head("application/json", headers=f"X-Long: {value}\r\n")
        await exchange.send(body)


class Redirects(Sized):
    async def card(self, exchange: Exchange) -> None:
        path, _, hop = exchange.target.partition("?")
        if int(hop or 0) == self.amount:
            return await super().card(exchange)
        location = f"Location: {path}?{int(hop or 0) + 1}\r\n"
        await exchange.head("text/plain", 302, location)


class Requirements(Sized):
    """Only the last requirement of its card is met without credentials."""

    def build_card(self, exchange: Exchange) -> Json:
        required: list[Json] = [{"schemes": {"key": {"list": []}}}] * (self.amount - 1)
        key = {"location": "header", "name": "X-Key"}
        return super().build_card(exchange) | {
            "securitySchemes": {"key": {"apiKeySecurityScheme": key}},
            "securityRequirements": [*required, {"schemes": {}}],
        }


class Schemes(Sized):
    """Its card has one requirement, which a bearer token meets."""

    def build_card(self, exchange: Exchange) -> Json:
        names = [f"s{number}" for number in range(self.amount)]
        bearer = {"httpAuthSecurityScheme": {"scheme": "Bearer"}}
        return super().build_card(exchange) | {
            "securitySchemes": dict.fromkeys(names, bearer),
            "securityRequirements": [
                {"schemes": {name: {"list": []} for name in names}}
            ],
        }


class LongDescription(Sized):
    def build_card(self, exchange: Exchange) -> Json:
        name = "X" * (self.amount - len("an API key (header )"))
        key = {"location": "header", "name": name}
        return super().build_card(exchange) | {
            "securitySchemes": {"key": {"apiKeySecurityScheme": key}},
            "securityRequirements": [{"schemes": {"key": {"list": []}}}],
        }
