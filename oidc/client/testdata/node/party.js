// A relying party on openid-client. It reads one task as JSON on standard input, calls the token endpoint once for each of its
// calls, and writes what came of each as a line of JSON.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'
import https from 'node:https'

const require = createRequire(process.env.PARTY_MODULES + '/')
const oidc = await import(pathToFileURL(require.resolve('openid-client')).href)
const task = JSON.parse(readFileSync(0, 'utf8'))

// fetching is fetch over https with the certificate of the call.
const fetching = (call) => (url, options) =>
  new Promise((resolve, reject) => {
    const request = https.request(url, {
      method: options.method, headers: Object.fromEntries(new Headers(options.headers)),
      ca: task.ca, cert: call.certificate, key: call.key,
    }, (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () => resolve(new Response(Buffer.concat(parts), { status: response.statusCode, headers: response.headers })))
    })
    request.on('error', reject)
    request.end(options.body === undefined ? undefined : String(options.body))
  })

const methods = {
  client_secret_basic: (call) => oidc.ClientSecretBasic(call.secret),
  client_secret_post: (call) => oidc.ClientSecretPost(call.secret),
  private_key_jwt: async (call) => {
    const hash = { ES256: { name: 'ECDSA', namedCurve: 'P-256' }, PS256: { name: 'RSA-PSS', hash: 'SHA-256' }, RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } }
    const der = Buffer.from(call.signing.replace(/-----[^-]*-----|\s/g, ''), 'base64')
    return oidc.PrivateKeyJwt({ key: await crypto.subtle.importKey('pkcs8', der, hash[call.algorithm], false, ['sign']), kid: call.kid })
  },
  tls_client_auth: () => oidc.TlsClientAuth(),
  none: () => oidc.None(),
}

for (const call of task.calls) {
  let answer
  try {
    const config = new oidc.Configuration({ issuer: task.issuer, token_endpoint: task.token }, call.id, undefined, await methods[call.method](call))
    config[oidc.customFetch] = fetching(call)
    const tokens = await oidc.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', { subject_token: 'x' })
    answer = { token: tokens.access_token }
  } catch (e) {
    // A 401 with WWW-Authenticate is a challenge to it, others are the code.
    const of = e.cause ?? {}
    answer = { error: e.error ?? (Array.isArray(of) ? of[0].scheme + ' challenge' : String(e)), status: e.status }
  }
  console.log(JSON.stringify(answer))
}
