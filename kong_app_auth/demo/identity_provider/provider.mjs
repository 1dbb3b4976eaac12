/**
 * A real OpenID provider for tests and for the demo: npm's `oidc-provider`, configured by one JSON file.
 *
 * It is not for production: its people are made up, their passwords are in the file, and it speaks plain HTTP.
 * Usage: node provider.mjs CONFIGURATION. The file is described in configuration.py, the `/admin` paths in control.py.
 */
import { createHash, generateKeyPairSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

const BODY_LIMIT = 64 * 1024;
const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuerPath = new URL(settings.issuer).pathname.replace(/\/$/, '');
const accounts = new Map(settings.accounts.map((account) => [account.email, account]));
const resources = new Map(settings.resources.map((resource) => [resource.indicator, resource]));

// ---- Keys: the newest first. All of them are published; the newest of an algorithm signs.

function newKeys() {
  const made = [
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ];
  return made.map(([alg, { privateKey }]) => {
    const jwk = privateKey.export({ format: 'jwk' });
    return { ...jwk, alg, use: 'sig', kid: randomBytes(8).toString('hex') };
  });
}

// ---- What outlives a restart: the keys, the clients and their registration tokens.

const DURABLE = new Set(['Client', 'RegistrationAccessToken']);
const stored = existsSync(settings.state_file)
  ? JSON.parse(readFileSync(settings.state_file, 'utf8'))
  : { keys: newKeys(), records: [] };
let { keys } = stored;
const records = new Map(stored.records);

function keep() {
  const durable = [...records].filter(([key]) => DURABLE.has(key.split(':', 1)[0]));
  const aside = `${settings.state_file}.new`;
  writeFileSync(aside, JSON.stringify({ keys, records: durable }), { mode: 0o600 });
  renameSync(aside, settings.state_file);
}

/** The provider's store: one map, by model and id. */
class Store {
  constructor(model) {
    this.model = model;
  }

  #key(id) {
    return `${this.model}:${id}`;
  }

  #changed() {
    if (DURABLE.has(this.model)) keep();
  }

  async upsert(id, payload, lifetime) {
    const until = lifetime === undefined ? null : Date.now() + lifetime * 1000;
    records.set(this.#key(id), { payload, until });
    this.#changed();
  }

  async find(id) {
    const record = records.get(this.#key(id));
    if (record === undefined) return undefined;
    if (record.until !== null && record.until <= Date.now()) {
      records.delete(this.#key(id));
      return undefined;
    }
    return record.payload;
  }

  async findByUid(uid) {
    for (const [key, { payload }] of records) {
      if (payload.uid === uid && key.startsWith(`${this.model}:`)) return this.find(key.slice(this.model.length + 1));
    }
    return undefined;
  }

  async consume(id) {
    records.get(this.#key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    records.delete(this.#key(id));
    this.#changed();
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of records) {
      if (payload.grantId === grantId && key.startsWith(`${this.model}:`)) records.delete(key);
    }
  }
}

// ---- The provider.

const cookieKeys = [randomBytes(32).toString('hex')];
// Cookies of one host are shared by all its ports.
const cookie = (name) => `${name}_${settings.port}`;

function resourceOf(indicator) {
  const resource = resources.get(indicator);
  if (resource === undefined) throw new errors.InvalidTarget();
  return resource;
}

function newProvider() {
  const provider = new Provider(settings.issuer, {
    adapter: Store,
    jwks: { keys },
    cookies: {
      keys: cookieKeys,
      names: { session: cookie('session'), interaction: cookie('interaction'), resume: cookie('resume') },
    },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    // Many a provider puts these claims into the ID token, as the portal expects, not only into the answer of userinfo.
    conformIdTokenClaims: false,
    scopes: ['openid', 'offline_access', ...new Set([...resources.values()].flatMap(({ scopes }) => scopes))],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256'],
      userinfoSigningAlgValues: ['RS256', 'ES256'],
      introspectionSigningAlgValues: ['RS256', 'ES256'],
    },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      rpInitiatedLogout: { enabled: false },
      registration: {
        enabled: true,
        initialAccessToken: settings.initial_access_token,
        idFactory: () => randomBytes(12).toString('base64url'),
      },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      resourceIndicators: {
        enabled: true,
        // Some providers know the parameter `audience` instead of RFC 8707's `resource`; and some need neither.
        defaultResource: (ctx, _client, several) => {
          const { audience } = ctx.oidc.body ?? {};
          if (several) return several;
          return resources.has(audience) ? audience : (settings.default_resource ?? undefined);
        },
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, indicator) => {
          const resource = resourceOf(indicator);
          const info = {
            scope: resource.scopes.join(' '),
            audience: resource.indicator,
            accessTokenTTL: resource.lifetime,
            accessTokenFormat: resource.opaque ? 'opaque' : 'jwt',
          };
          if (!resource.opaque) {
            const { kid } = keys.find(({ alg }) => alg === resource.algorithm);
            info.jwt = { sign: { alg: resource.algorithm, kid } };
          }
          return info;
        },
      },
    },
    interactions: { url: (_ctx, { uid }) => `${issuerPath}/interaction/${uid}` },
    // Whoever signs in consents to all that the client asks for.
    loadExistingGrant: async (ctx) => {
      const { client, session, params, resourceServers } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope ?? '');
      for (const indicator of Object.keys(resourceServers ?? {})) grant.addResourceScope(indicator, params.scope ?? '');
      await grant.save();
      return grant;
    },
    findAccount: (_ctx, id) => {
      const account = [...accounts.values()].find(({ subject }) => subject === id);
      if (account === undefined) return undefined;
      const { email, email_verified, name, groups } = account;
      return { accountId: id, claims: () => ({ sub: id, email, email_verified, name, groups }) };
    },
    renderError: (ctx, out) => {
      ctx.type = 'html';
      ctx.body = page('This did not work', `<p>${text(out.error)}: ${text(out.error_description ?? '')}</p>`);
    },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 600,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 600,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 600,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 3600,
    },
  });
  provider.proxy = settings.issuer.startsWith('https:');
  return { provider, answer: provider.callback() };
}

let current = newProvider();

// ---- The page where somebody signs in.

function text(value) {
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${text(title)}</title>
<body style="font-family: sans-serif; max-width: 24em; margin: 4em auto"><h1>${text(title)}</h1>${body}</body></html>`;
}

function send(response, status, type, body) {
  response.writeHead(status, { 'Content-Type': `${type}; charset=utf-8`, 'Cache-Control': 'no-store' });
  response.end(body);
}

function signInPage(response, status, message = '') {
  const people = [...accounts.values()].map(({ email, password }) => `<li>${text(email)} / ${text(password)}</li>`);
  const form = `<form method="post"><p><label>E-mail <input name="email" autofocus></label></p>
<p><label>Password <input name="password" type="password"></label></p><p><button>Sign in</button></p></form>`;
  const body = `<p>${text(message)}</p>${form}<p>Made-up people:</p><ul>${people.join('')}</ul>`;
  send(response, status, 'text/html', page(`Sign in at ${settings.name}`, body));
}

async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function interact(request, response) {
  const { provider } = current;
  await provider.interactionDetails(request, response); // throws for an unknown or expired one
  if (request.method !== 'POST') {
    signInPage(response, 200);
    return;
  }
  const form = new URLSearchParams(await bodyOf(request));
  if (form.has('cancel')) {
    const result = { error: 'access_denied', error_description: 'the person said no' };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    return;
  }
  const account = accounts.get(form.get('email') ?? '');
  if (account === undefined || !same(account.password, form.get('password') ?? '')) {
    signInPage(response, 401, 'Wrong e-mail address or password.');
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: account.subject } });
}

// ---- What tests may change while it runs.

const digest = (value) => createHash('sha256').update(value).digest();

function same(one, other) {
  return timingSafeEqual(digest(one), digest(other));
}

async function administer(request, response, path) {
  if (!same(request.headers.authorization ?? '', `Bearer ${settings.admin_token}`)) {
    send(response, 401, 'text/plain', 'a token is needed\n');
    return;
  }
  const [subject, ...rest] = path.split('/');
  const id = decodeURIComponent(rest.join('/'));
  const body = JSON.parse((await bodyOf(request)) || 'null');
  switch (`${request.method} ${subject}`) {
    case 'POST rotate':
      keys = body.abrupt ? newKeys() : [...newKeys(), ...keys];
      keep();
      current = newProvider();
      break;
    case 'PUT clients':
      await new Store('Client').upsert(id, { ...body, client_id: id });
      break;
    case 'DELETE clients':
      await new Store('Client').destroy(id);
      break;
    case 'PUT accounts':
      accounts.set(id, body);
      break;
    case 'DELETE accounts':
      accounts.delete(id);
      break;
    case 'PUT resources':
      resources.set(id, body);
      break;
    default:
      send(response, 404, 'text/plain', 'no such thing\n');
      return;
  }
  send(response, 200, 'application/json', JSON.stringify({ keys: keys.map(({ kid, alg }) => ({ kid, alg })) }));
}

// ---- The server.

async function serve(request, response) {
  if (request.url.startsWith('/admin/')) {
    await administer(request, response, request.url.slice('/admin/'.length));
    return;
  }
  if (issuerPath) {
    if (!request.url.startsWith(`${issuerPath}/`)) {
      send(response, 404, 'text/plain', 'not found\n');
      return;
    }
    request.originalUrl = request.url;
    request.baseUrl = issuerPath;
    request.url = request.url.slice(issuerPath.length);
  }
  if (request.url.startsWith('/interaction/')) {
    await interact(request, response);
    return;
  }
  current.answer(request, response);
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    if (response.headersSent) response.destroy();
    else send(response, 400, 'text/plain', `${error.name}: ${error.message}\n`);
  });
});

for (const client of settings.clients) await new Store('Client').upsert(client.client_id, client);
keep();
server.listen(settings.port, '127.0.0.1', () => console.log(`${settings.name}: ${settings.issuer}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
