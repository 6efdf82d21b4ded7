// A relying party on npm's openid-client: certified by the OpenID Foundation. It reads commands in JSON on standard input, a line each, and
// answers each with a line of JSON: what it was asked for, or {"error": …} with the code that the library gives.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createPrivateKey } from 'node:crypto'
import * as openid from 'openid-client'
import * as jose from 'jose'
import { Agent, fetch } from 'undici'

const [, , rootFile] = process.argv
const ca = readFileSync(rootFile)
const agents = new Map()
const parties = new Map()
const told = []

// through makes the fetch of a party: with its certificate, or without one.
function through(pair) {
  const name = pair ?? ''
  if (!agents.has(name)) {
    agents.set(name, new Agent({
      connect: pair ? { ca, cert: readFileSync(pair + '.pem'), key: readFileSync(pair + '.key') } : { ca },
    }))
  }
  return (url, options) => fetch(url, { ...options, dispatcher: agents.get(name) })
}

async function key(file, alg, kid) {
  return { key: await jose.importPKCS8(createPrivateKey(readFileSync(file + '.key')).export({ type: 'pkcs8', format: 'pem' }), alg), kid }
}

async function authentication(c) {
  switch (c.method) {
    case 'client_secret_basic': return openid.ClientSecretBasic(c.secret)
    case 'client_secret_post': return openid.ClientSecretPost(c.secret)
    case 'private_key_jwt': return openid.PrivateKeyJwt(await key(c.key, c.alg, c.kid))
    case 'tls_client_auth': case 'self_signed_tls_client_auth': return openid.TlsClientAuth()
    case 'none': return openid.None()
  }
  throw new Error('no method ' + c.method)
}

const commands = {
  // discover makes a party out of the metadata of the issuer.
  async discover(c) {
    const config = await openid.discovery(new URL(c.issuer), c.id, {
      id_token_signed_response_alg: c.idAlg, ...(c.infoAlg ? { userinfo_signed_response_alg: c.infoAlg } : {}),
      use_mtls_endpoint_aliases: !!c.pair, require_auth_time: true,
    }, await authentication(c), { algorithm: c.algorithm ?? 'oidc', [openid.customFetch]: through(c.pair) })
    openid.enableNonRepudiationChecks(config) // verify signatures, though TLS vouches for the answer
    parties.set(c.id, { config, command: c })
    return { issuer: config.serverMetadata().issuer, pkce: config.serverMetadata().supportsPKCE() }
  },
  // again is the same party with other credentials, in the midst of a login.
  async again(c) {
    const { verifier, state, nonce } = parties.get(c.id)
    await commands.discover(c.as)
    Object.assign(parties.get(c.id), { verifier, state, nonce })
    return {}
  },
  // begin gives the address to which the browser is sent.
  async begin(c) {
    const p = parties.get(c.id)
    p.verifier = openid.randomPKCECodeVerifier()
    p.state = openid.randomState()
    p.nonce = openid.randomNonce()
    let params = { redirect_uri: p.command.redirect, scope: c.scope ?? 'openid profile email offline_access', state: p.state, nonce: p.nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(p.verifier), code_challenge_method: 'S256', ...c.params }
    if (c.jar) {
      const signed = await openid.buildAuthorizationUrlWithJAR(p.config, params, await key(p.command.key, p.command.alg, p.command.kid))
      params = Object.fromEntries(signed.searchParams)
      if (!c.par) return { url: signed.href }
    }
    const url = c.par ? await openid.buildAuthorizationUrlWithPAR(p.config, params) : openid.buildAuthorizationUrl(p.config, params)
    return { url: url.href }
  },
  // finish takes what the browser came back with to the tokens, and asks userinfo.
  async finish(c) {
    const p = parties.get(c.id)
    const tokens = await openid.authorizationCodeGrant(p.config, new URL(c.url), {
      pkceCodeVerifier: c.verifier ?? p.verifier, expectedState: p.state, expectedNonce: p.nonce, idTokenExpected: true, ...(c.maxAge ? { maxAge: c.maxAge } : {}),
    })
    const claims = tokens.claims()
    const info = await openid.fetchUserInfo(p.config, tokens.access_token, claims.sub)
    return { claims, info, alg: jose.decodeProtectedHeader(tokens.id_token).alg, id: tokens.id_token, access: tokens.access_token, refresh: tokens.refresh_token,
      type: tokens.token_type, expires: tokens.expiresIn() }
  },
  async refresh(c) {
    const p = parties.get(c.id)
    const tokens = await openid.refreshTokenGrant(p.config, c.token)
    return { access: tokens.access_token, refresh: tokens.refresh_token, claims: tokens.claims() }
  },
  async userinfo(c) {
    const p = parties.get(c.id)
    return { info: await openid.fetchUserInfo(p.config, c.token, openid.skipSubjectCheck) }
  },
  async introspect(c) {
    return { said: await openid.tokenIntrospection(parties.get(c.id).config, c.token) }
  },
  async revoke(c) {
    await openid.tokenRevocation(parties.get(c.id).config, c.token)
    return {}
  },
  async logout(c) {
    return { url: openid.buildEndSessionUrl(parties.get(c.id).config, c.params).href }
  },
  // listen is where the provider tells of logouts (OpenID Connect Back-Channel Logout 1.0 section 2.6).
  async listen(c) {
    const keys = jose.createRemoteJWKSet(new URL(c.jwks), { [jose.customFetch]: through() })
    const server = createServer({ cert: readFileSync(c.pair + '.pem'), key: readFileSync(c.pair + '.key') }, (request, response) => {
      let body = ''
      request.on('data', part => { body += part })
      request.on('end', async () => {
        try {
          const form = new URLSearchParams(body)
          const { payload, protectedHeader } = await jose.jwtVerify(form.get('logout_token'), keys, { issuer: c.issuer, typ: 'logout+jwt', requiredClaims: ['iat', 'exp', 'jti', 'aud'] })
          const wrong = request.method !== 'POST' || request.headers['content-type'] !== 'application/x-www-form-urlencoded' || [...form.keys()].length !== 1 ||
            !payload.events?.['http://schemas.openid.net/event/backchannel-logout'] || 'nonce' in payload || !(payload.sub || payload.sid)
          told.push({ wrong, path: request.url, alg: protectedHeader.alg, claims: payload })
          response.writeHead(wrong ? 400 : 200, { 'cache-control': 'no-store' }).end()
        } catch (e) {
          told.push({ wrong: true, error: String(e) })
          response.writeHead(400, { 'cache-control': 'no-store' }).end()
        }
      })
    })
    await new Promise((resolve, reject) => server.once('error', reject).listen(c.port, '127.0.0.1', resolve))
    server.unref()
    return {}
  },
  // told gives, and forgets, what was told.
  async told() {
    return { told: told.splice(0) }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  let answer
  try {
    answer = await commands[command.do](command)
  } catch (e) {
    answer = { error: e.error ?? e.code ?? e.message, said: [e.message, e.cause?.error_description, e.error_description, e.cause?.message, e.status].filter(Boolean).join('; ') }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
process.exit(0)
