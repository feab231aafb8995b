// node-redis: node_redis.js SOCKET. Says "all is well", or dies with what is not.

const assert = require("assert");
const { createClient } = require("redis");

async function main() {
  const client = createClient({ socket: { path: process.argv[2] } });
  await client.connect();
  assert.deepStrictEqual(JSON.parse(await client.get("account:1")), { id: 1, owner: "Ada", note: null });
  assert.strictEqual(await client.get("account:99"), null);
  assert.deepStrictEqual(await client.mGet(["owner:1", "owner:99"]), ["Ada", null]);
  assert.deepStrictEqual({ ...(await client.hGetAll("account:1")) }, { id: "1", owner: "Ada" });
  // What is asked in one turn is pipelined.
  assert.deepStrictEqual(await Promise.all([1, 2, 1].map((id) => client.get(`owner:${id}`))), ["Ada", "Zoë", "Ada"]);
  assert.deepStrictEqual(await client.multi().get("owner:1").get("owner:2").exec(), ["Ada", "Zoë"]);
  await assert.rejects(client.set("owner:1", "Eve"), /PostgreSQL/);
  await assert.rejects(client.get("broken:1"), /^Error: QUERY /);
  await client.quit();
  console.log("all is well");
}

main();
