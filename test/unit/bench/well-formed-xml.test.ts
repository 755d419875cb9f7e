import { describe, expect, it } from 'vitest';
import { rootOfXml } from './well-formed-xml.js';

describe('the reader of plots', () => {
  it('takes what is well-formed', () => {
    expect(
      rootOfXml(`<!-- of a run -->\n<svg a="1 > 0" b='"'><g/><t>1 &lt; 2 &#8211;</t><![CDATA[ & < ]]></svg>\n`),
    ).toBe('svg');
  });

  it.each([
    ['a quotation mark in an attribute', '<svg font="Arial, "Sans", x"/>'],
    ['an ampersand in text', '<svg>a & b</svg>'],
    ['an ampersand in an attribute', '<svg a="a & b"/>'],
    ['a comparison in text', '<svg>a < b</svg>'],
    ['tags that overlap', '<svg><g></svg></g>'],
    ['a tag that is not closed', '<svg><g></svg>'],
    ['an attribute twice', '<svg a="1" a="2"/>'],
    ['an attribute without a value', '<svg a/>'],
    ['two roots', '<svg/><svg/>'],
    ['text after the root', '<svg/>x'],
    ['nothing', ''],
  ])('refuses %s', (_, xml) => {
    expect(() => rootOfXml(xml)).toThrow();
  });
});
