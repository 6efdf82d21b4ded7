// A wallet on npm's @openid4vc/openid4vp, with credentials and lists of their status by @sd-jwt, and queries answered by dcql. It reads commands
// in JSON on standard input, a line each, and answers each with a line of JSON: what it was asked for, or {"error": …}.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import crypto, { X509Certificate, createPrivateKey } from 'node:crypto'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { SDJwtInstance } from '@sd-jwt/core'
import { StatusList, createHeaderAndPayload } from '@sd-jwt/jwt-status-list'
import { DcqlQuery } from 'dcql'
import jsQR from 'jsqr'
import { PNG } from 'pngjs'
import * as jose from 'jose'
import { Agent, fetch } from 'undici'

const [, , rootFile] = process.argv
const dispatcher = new Agent({ connect: { ca: readFileSync(rootFile) } })
const through = (url, options) => fetch(url, { ...options, dispatcher })

const chain = (file) => readFileSync(file + '.pem', 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g)
  .map((pem) => new X509Certificate(pem)).filter((c) => c.issuer !== c.subject).map((c) => c.raw.toString('base64'))
const signer = (key) => async (data) => crypto.sign('sha256', Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
const hash = (data, alg) => new Uint8Array(crypto.createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest())

const pair = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })
let holder = pair()
let credential, claims, vct, frame
const listed = []

function instance (issuer) {
  return new SDJwtInstance({
    signer: issuer && signer(issuer), signAlg: 'ES256', hasher: async (data, alg) => hash(data, alg), hashAlg: 'sha-256',
    saltGenerator: async () => crypto.randomBytes(16).toString('base64url'), kbSigner: signer(holder.privateKey), kbSignAlg: 'ES256'
  })
}

// The wallet's own checks of the request object: signed by the key of the certificate that the client id names.
const client = (nonce) => new Openid4vpClient({
  callbacks: {
    fetch: async (url, options) => {
      // The library leaves the wallet's nonce out of what it posts.
      if (options?.method?.toLowerCase() === 'post' && String(url).includes('/request/')) options = { ...options, body: new URLSearchParams({ wallet_nonce: nonce }) }
      return through(url, options)
    },
    hash: async (data, alg) => hash(data, alg),
    getX509CertificateMetadata: (der) => ({
      sanDnsNames: (new X509Certificate(Buffer.from(der, 'base64')).subjectAltName ?? '').split(', ').filter((n) => n.startsWith('DNS:')).map((n) => n.slice(4)), sanUriNames: []
    }),
    verifyJwt: async (by, { compact }) => {
      const leaf = new X509Certificate(Buffer.from(by.x5c[0], 'base64'))
      await jose.compactVerify(compact, leaf.publicKey, { algorithms: ['ES256'] })
      return { verified: true, signerJwk: await jose.exportJWK(leaf.publicKey) }
    },
    encryptJwe: async (to, text) => ({
      encryptionJwk: to.publicJwk,
      jwe: await new jose.CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader({ alg: to.alg, enc: to.enc, kid: to.publicJwk.kid })
        .setKeyManagementParameters({ apv: jose.base64url.decode(to.apv) }).encrypt(await jose.importJWK(to.publicJwk, to.alg))
    })
  }
})

// frameOf is what of the claims the query asks for, as @sd-jwt wants it.
function frameOf (paths) {
  const out = {}
  for (const path of paths) {
    let at = out
    path.forEach((name, i) => { at = at[name] ??= i === path.length - 1 ? true : {} })
  }
  return out
}

const commands = {
  // issue makes a credential, signed with the key of a certificate.
  async issue (c) {
    claims = c.claims
    vct = c.vct
    const now = Math.floor(Date.now() / 1000)
    frame = c.frame
    credential = await instance(createPrivateKey(readFileSync(c.pair + '.key'))).issue({
      iss: c.iss, vct, iat: now - 60, exp: now + 3600, cnf: { jwk: holder.publicKey.export({ format: 'jwk' }) },
      ...(c.status ? { status: { status_list: c.status } } : {}), ...claims
    }, frame, { header: { typ: 'dc+sd-jwt', x5c: chain(c.pair) } })
    return {}
  },
  // lists serves a list of statuses.
  async lists (c) {
    const key = createPrivateKey(readFileSync(c.pair + '.key'))
    const server = createServer({ cert: readFileSync(c.server + '.pem'), key: readFileSync(c.server + '.key') }, async (request, answer) => {
      const now = Math.floor(Date.now() / 1000)
      const made = createHeaderAndPayload(new StatusList(c.statuses, 2), { sub: c.uri, iat: now, exp: now + 600, ttl: c.ttl }, { alg: 'ES256', typ: 'statuslist+jwt' })
      const text = await new jose.SignJWT(made.payload).setProtectedHeader({ ...made.header, x5c: chain(c.pair) }).sign(key)
      listed.push(request.url)
      answer.writeHead(200, { 'content-type': 'application/statuslist+jwt' }).end(text)
    })
    await new Promise((resolve) => server.listen(c.port, '127.0.0.1', resolve))
    return {}
  },
  // scan reads the QR code of an image.
  async scan (c) {
    const { width, height, data } = PNG.sync.read(Buffer.from(c.png, 'base64'))
    // The margin that the page draws around it.
    const margin = 32
    const wide = new Uint8ClampedArray((width + 2 * margin) * (height + 2 * margin) * 4).fill(255)
    for (let y = 0; y < height; y++) wide.set(data.subarray(y * width * 4, (y + 1) * width * 4), ((y + margin) * (width + 2 * margin) + margin) * 4)
    const found = jsQR(wide, width + 2 * margin, height + 2 * margin)
    if (!found) throw new Error('no code in the image')
    return { text: found.data }
  },
  async listed () { return { listed } },
  // present follows a link, says what was asked for, and answers it; twisted: as somebody would who got the credential alone.
  async present (c) {
    const nonce = crypto.randomUUID()
    const wallet = client(nonce)
    const parsed = wallet.parseOpenid4vpAuthorizationRequest({ authorizationRequest: c.link })
    const resolved = await wallet.resolveOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: parsed.params, responseMode: { type: 'direct_post' }, wallet: { expectedNonce: nonce, nonce }
    })
    const request = resolved.authorizationRequestPayload
    if (request.wallet_nonce !== nonce) throw new Error('another wallet_nonce')
    const query = DcqlQuery.parse(request.dcql_query)
    DcqlQuery.validate(query)
    const { can_be_satisfied: can, credential_matches: matches } = DcqlQuery.query(query, [{ credential_format: 'dc+sd-jwt', vct, claims, cryptographic_holder_binding: true }])
    const asked = query.credentials[0]
    if (!can) throw new Error('not the credential that is asked for: ' + JSON.stringify(matches[asked.id]))
    if (c.twisted) holder = pair()
    const presentation = await instance().present(credential, frameOf(asked.claims.map((one) => one.path).filter((path) => path[0] in claims)),
      { kb: { payload: { iat: Math.floor(Date.now() / 1000), aud: resolved.client.effective ?? request.client_id, nonce: request.nonce } } })
    const said = c.refuse
      ? { error: 'access_denied', state: request.state }
      : (await wallet.createOpenid4vpAuthorizationResponse({
          authorizationRequestPayload: request, authorizationResponsePayload: { vp_token: { [asked.id]: [presentation] } },
          jarm: {
            encryption: { nonce: 'unused' },
            serverMetadata: { authorization_signing_alg_values_supported: [], authorization_encryption_alg_values_supported: ['ECDH-ES'], authorization_encryption_enc_values_supported: ['A256GCM'] }
          }
        }))
    const { response } = await wallet.submitOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: request, authorizationResponsePayload: said.authorizationResponsePayload ?? said, jarm: said.jarm
    })
    const told = await response.json()
    return { status: response.status, redirect_uri: told.redirect_uri, code: told.error, paths: asked.claims.map((one) => one.path.join('.')), version: resolved.version }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  let answer
  try {
    answer = await commands[command.do](command)
  } catch (e) {
    answer = { error: String(e?.errorResponse ? JSON.stringify(e.errorResponse) : e?.message ?? e) }
  }
  console.log(JSON.stringify(answer))
}
process.exit(0)
