// From the claims of Microsoft to the traits of an identity. Microsoft does not say whether an address is verified, so it is
// taken as it is; the tenant answers for it. A phone number counts only if it is verified.
local claims = { phone_number_verified: false } + std.extVar('claims');

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
      [if has('email') then 'email']: claims.email,
      [if has('phone_number') && claims.phone_number_verified then 'phone_number']: claims.phone_number,
    },
  },
}
