// Resolves an entity of a federation that a test serves, and prints what it finds as JSON. Every name of the federation is at one
// address of this machine; its certificate is judged by the name.
const https = require('node:https')
const { createRequire } = require('node:module')
const path = require('node:path')

const { ADDRESS, ENTITY, ANCHOR, CA, MODULES, STATEMENT, KEYS } = process.env
const from = createRequire(path.join(MODULES, 'package.json'))
const [host, port] = ADDRESS.split(':')

globalThis.fetch = global.fetch = (address, options = {}) => new Promise((resolve, reject) => {
  const url = new URL(address)
  https.get({ host, port, servername: url.hostname, ca: CA, path: url.pathname + url.search,
    headers: { ...options.headers, host: url.host } }, (answer) => {
    const parts = []
    answer.on('data', (part) => parts.push(part))
    answer.on('end', () => resolve(new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers })))
  }).on('error', reject)
})

async function main () {
  const { resolveTrustChains } = from('@openid-federation/core')
  const jose = await import(from.resolve('jose'))
  let verified = 0
  const chains = await resolveTrustChains({
    entityId: ENTITY,
    trustAnchorEntityIds: [ANCHOR],
    verifyJwtCallback: async ({ jwt, jwk, header }) => {
      try {
        await jose.compactVerify(jwt, await jose.importJWK(jwk, header.alg))
        verified++
        return true
      } catch { return false }
    }
  })
  const other = await jose.jwtVerify(STATEMENT, jose.createLocalJWKSet(JSON.parse(KEYS)), { typ: 'resolve-response+jwt' })
  console.log(JSON.stringify({ verified, resolver: other.payload.iss, chains: chains.map((c) => ({ length: c.chain.length, metadata: c.resolvedLeafMetadata })) }))
}

main().catch((e) => { console.error(e); process.exit(1) })
