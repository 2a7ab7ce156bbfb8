// From the claims of an OpenID Connect provider to the traits of an identity. Only what the provider sent is taken, and an
// address or a phone number only if the provider says that it belongs to the person: anybody could claim another's.
local claims = { email_verified: false, phone_number_verified: false } + std.extVar('claims');

local taken = [
  'name',
  'given_name',
  'family_name',
  'last_name',
  'middle_name',
  'nickname',
  'preferred_username',
  'profile',
  'picture',
  'website',
  'gender',
  'birthdate',
  'zoneinfo',
  'locale',
  'team',
];

local has(name) = std.objectHas(claims, name);

{
  identity: {
    traits: { [name]: claims[name] for name in taken if has(name) } + {
      [if has('email') && claims.email_verified then 'email']: claims.email,
      [if has('phone_number') && claims.phone_number_verified then 'phone_number']: claims.phone_number,
    },
  },
}
