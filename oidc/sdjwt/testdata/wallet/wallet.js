// Issues a credential, presents parts of it to a verifier, and prints the presentations and the issuer's key as JSON.
const crypto = require('node:crypto')
const { createRequire } = require('node:module')
const path = require('node:path')

const { AUDIENCE, NONCE, VCT, ISSUER, NOW, MODULES } = process.env
const from = createRequire(path.join(MODULES, 'package.json'))
const { SDJwtInstance } = from('@sd-jwt/core')

const pair = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signer = (key) => async (data) => crypto.sign('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')

async function main () {
  const issuer = pair()
  const holder = pair()
  const sdjwt = new SDJwtInstance({
    signer: signer(issuer.privateKey),
    signAlg: 'ES256',
    hasher: async (data, alg) => new Uint8Array(crypto.createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest()),
    hashAlg: 'sha-256',
    saltGenerator: async () => crypto.randomBytes(16).toString('base64url'),
    kbSigner: signer(holder.privateKey),
    kbSignAlg: 'ES256'
  })
  const now = Number(NOW)
  const credential = await sdjwt.issue({
    iss: ISSUER, vct: VCT, iat: now - 60, exp: now + 3600, cnf: { jwk: holder.publicKey.export({ format: 'jwk' }) },
    given_name: 'Camille', family_name: 'Martin', rpps: '10003456789', address: { city: 'Lyon', country: 'FR' }, nationalities: ['FR', 'BE']
  }, {
    _sd: ['given_name', 'family_name', 'rpps', 'address'], _sdDecoy: 3,
    address: { _sd: ['city'] }, nationalities: { _sd: [0, 1], _sdDecoy: 1 }
  }, { header: { typ: 'dc+sd-jwt', kid: 'issuer' } })
  const kb = { payload: { iat: now, aud: AUDIENCE, nonce: NONCE } }
  console.log(JSON.stringify({
    key: { ...issuer.publicKey.export({ format: 'jwk' }), kid: 'issuer', alg: 'ES256' },
    number: await sdjwt.present(credential, { rpps: true }, { kb }),
    all: await sdjwt.present(credential, { given_name: true, family_name: true, rpps: true, address: { city: true }, nationalities: { 0: true, 1: true } }, { kb }),
    unbound: await sdjwt.present(credential, { rpps: true })
  }))
}

main().catch((e) => { console.error(e); process.exit(1) })
