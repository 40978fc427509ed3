import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Route, Routes } from '../../sidecar/routes.ts';

const WELL_KNOWN = 'http://h/.well-known/oauth-protected-resource';

function server(name: string, url: string, changes: Partial<Route> = {}): Route {
  return { name, url: new URL(url), ...changes };
}

function agents(name: string, url: string): Route {
  return server(name, url, { agentCredential: true });
}

function routesOf(...routes: Route[]): Routes {
  const table = new Routes();
  table.replace(routes);
  return table;
}

describe('a captured request', () => {
  const table = routesOf(server('a', 'http://h/a'), server('s', 'https://h/s'), server('one', 'http://h/b'), server('two', 'http://h/b'));

  it('finds the one server that has its URL', () => {
    assert.equal(table.find('http://h/a')?.name, 'a');
    assert.equal(table.find('https://h/s')?.name, 's');
  });

  for (const target of [
    'http://h/b',
    'https://h/a',
    'http://h/s',
    'http://h:80/a',
    'http://H/a',
    'HTTP://h/a',
    'http://h/x/../a',
    'http://h/%61',
    'http://h/a?x=1',
    'http://u@h/a',
    'ws://h/a',
    WELL_KNOWN,
    `${WELL_KNOWN}/a`,
  ]) {
    it(`finds none at ${target}`, () => assert.equal(table.find(target), undefined));
  }
});

describe('the metadata of a server that authorizes agents', () => {
  const find = (table: Routes, target: string) => {
    const { name, isMetadata, url } = table.find(target) ?? {};
    return name === undefined ? undefined : [name, isMetadata, url?.href];
  };

  it('lies at the well-known path, with the path of the server and without', () => {
    const table = routesOf(agents('own', 'http://h/mcp/'), agents('deep', 'http://d/a/b?tenant=1'), agents('root', 'http://r/'));
    for (const place of [WELL_KNOWN, `${WELL_KNOWN}/mcp`, `${WELL_KNOWN}/mcp/`]) assert.deepEqual(find(table, place), ['own', true, place]);
    const deep = 'http://d/.well-known/oauth-protected-resource/a/b?tenant=1';
    assert.deepEqual(find(table, deep), ['deep', true, deep]);
    assert.equal(find(table, 'http://r/.well-known/oauth-protected-resource')?.[0], 'root');
    assert.equal(find(table, 'http://r/.well-known/oauth-protected-resource/'), undefined);
    assert.deepEqual(find(table, 'http://h/mcp/'), ['own', undefined, 'http://h/mcp/'], 'and the endpoint is where it was');
  });

  it('is nobody’s where two servers could mean it, and never stands for a registered server', () => {
    const table = routesOf(agents('a', 'http://h/a'), agents('b', 'http://h/b'), server('odd', `${WELL_KNOWN}/a`));
    assert.equal(find(table, WELL_KNOWN), undefined);
    assert.equal(find(table, `${WELL_KNOWN}/b`)?.[0], 'b');
    assert.deepEqual(find(table, `${WELL_KNOWN}/a`), ['odd', undefined, `${WELL_KNOWN}/a`]);
  });
});

describe('a place that a challenge names', () => {
  const own = agents('own', 'http://h/mcp');
  const learned = (challenge: string | string[], target: string) => {
    const table = routesOf(own, server('other', 'http://h/other'));
    table.challenged(own, challenge);
    return table.find(target);
  };

  it('is known from then on, until the servers change', () => {
    const table = routesOf(own);
    for (const [field, target] of [
      ['Bearer resource_metadata="http://h/one"', 'http://h/one'],
      ['Basic realm="x", Bearer scope="a b", Resource_Metadata = "http://h/two?x=1", error="x"', 'http://h/two?x=1'],
    ] as const) {
      assert.equal(table.find(target), undefined);
      table.challenged(own, field);
      assert.deepEqual([table.find(target)?.name, table.find(target)?.isMetadata], ['own', true]);
    }
    table.challenged(own, ['Basic realm="x"', 'Bearer resource_metadata="http://h/three"']);
    assert.equal(table.find('http://h/three')?.name, 'own');
    table.replace([own]);
    assert.equal(table.find('http://h/three'), undefined);
  });

  for (const place of [
    'http://elsewhere/x',
    'https://h/x',
    'http://h:8080/x',
    'http://u:p@h/x',
    'http://u@h/x',
    'http://h/x#y',
    'http://h/a/../x',
    'http://H/x',
    '//h/x',
    '/x',
    'x',
    'file:///etc/passwd',
  ]) {
    it(`is not known when it is ${place}`, () => {
      const challenge = `Bearer resource_metadata="${place}"`;
      assert.equal(learned(challenge, place), undefined);
      assert.equal(learned(challenge, 'http://h/x'), undefined);
    });
  }

  it('does not stand for a registered server', () => {
    const found = learned('Bearer resource_metadata="http://h/other"', 'http://h/other');
    assert.deepEqual([found?.name, found?.isMetadata], ['other', undefined]);
    assert.equal(learned('Bearer resource_metadata="http://h/mcp"', 'http://h/mcp')?.isMetadata, undefined);
  });

  it('is not remembered when there are too many already', () => {
    const table = routesOf(own);
    for (let index = 0; index < 300; index += 1) table.challenged(own, `Bearer resource_metadata="http://h/${index}"`);
    assert.deepEqual([table.find('http://h/255')?.name, table.find('http://h/256')], ['own', undefined]);
  });
});
